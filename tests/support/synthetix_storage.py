"""What Synthetix v3's perps market holds and no view of it tells, read from its storage: with these numbers
an account is worth the same at any price and time as the market's own view says."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.localchain.rpc import as_str
from keeper.margin.perps.synthetix_v3.market import FundingState
from tests.support.synthetix_exchange import Exchange


@dataclass(frozen=True)
class InterestState:
    """Interest per dollar, the rate a year, and when both were last brought up to date."""

    accrued: int
    rate: int
    time: int


@dataclass(frozen=True)
class StoredPosition:
    """One position as it was last touched: its price, and the funding and interest it has settled for."""

    size: int
    price: int
    funding: int
    interest: int


def place(name: str, *identity: int) -> int:
    """The first slot of one of the market's structures."""
    types = ["string", *("uint128" for _ in identity)]
    return _number(keccak(encode(types, [f"io.synthetix.perps-market.{name}", *identity])))


def funding_state(market: Exchange, identity: int) -> FundingState:
    first = place("PerpsMarket", identity)
    skew, rate, value, time = _words(market, [first + each for each in (3, 5, 6, 7)])
    return FundingState(_signed(skew, 256), _signed(rate, 256), _signed(value, 256), time)


def interest_state(market: Exchange) -> InterestState:
    first = place("InterestRate")
    return InterestState(*_words(market, [first, first + 1, first + 2]))


def stored_position(market: Exchange, identity: int, account: int) -> StoredPosition:
    positions = place("PerpsMarket", identity) + 11
    first = _number(keccak(encode(["uint256", "uint256"], [account, positions])))
    packed_size, packed_price, interest = _words(market, [first, first + 1, first + 2])
    low = 2**128
    return StoredPosition(
        _signed(packed_size // low, 128), packed_price % low, _signed(packed_price // low, 128), interest
    )


def _words(market: Exchange, slots: list[int]) -> list[int]:
    requests = [("eth_getStorageAt", [market.system.perps, hex(slot), "latest"]) for slot in slots]
    return [int(as_str(each), 16) for each in market.anvil.rpc.batch(requests)]


def _number(content: bytes) -> int:
    return int.from_bytes(content, "big")


def _signed(value: int, bits: int) -> int:
    return value - 2**bits if value >= 2 ** (bits - 1) else value
