"""Answers of `contracts/src/AvalonLens.sol`: the market, and a position's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eth_abi.abi import decode

from keeper.margin.options.lyra_avalon.minimum import MinimumTerms
from keeper.margin.rounding import wad_mul_down

RECORD = 138
_BOARD = "(uint256,uint256,bool,uint256,uint256,uint256,bytes)"
_STATE = (
    "(address,address,address,address,address,bool,uint256,bool,uint256[8],int256,"
    f"(uint256,uint256,uint256,uint256),address,uint256,uint256,uint256,uint256,uint256,{_BOARD}[],bytes)"
)
_ACTIVE = 1


@dataclass(frozen=True, slots=True)
class AvalonBoard:
    """Options of one expiry; a frozen one trades and liquidates nothing. A strike's volatility is `iv` times
    its skew, 18 decimals each. The cached Greeks are of `updated`, when the spot was `cached_spot`."""

    id: int
    expiry: int
    frozen: bool
    iv: int
    updated: int
    cached_spot: int
    skews: Mapping[int, int]

    def volatility(self, strike: int) -> int:
        """A year's, 18 decimals, cut as the contract cuts it; 0 of a strike that is none of the board's."""
        return wad_mul_down(self.iv, self.skews.get(strike, 0))


@dataclass(frozen=True, slots=True)
class AvalonCare:
    """What upkeep goes by: `vault` pays settled positions out, of the dollars and tokens that it has, and
    reckons with `settlement_fee` where tokens are sold. Cached Greeks are stale once the spot moved by the
    share `stale_move`, or after `stale_after` seconds. `settled` has each settled board's price."""

    vault: str
    vault_quote: int
    vault_base: int
    settlement_fee: int
    stale_move: int
    stale_after: int
    settled: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class AvalonState:
    """A market at one block: `spot` (18 decimals) is None while it is paused or its source has none. Of a
    penalty liquidators get `fee_share`; it is `least_penalty` in dollars at least."""

    adapter: str
    cache: str
    token: str
    quote: str
    base: str
    spot: int | None
    paused: bool
    terms: MinimumTerms
    fee_share: int
    least_penalty: int
    boards: Mapping[int, AvalonBoard]
    care: AvalonCare


@dataclass(frozen=True, slots=True)
class OptionPosition:
    """One position: `kind` by the contract's own numbers, `price` its strike's; amounts 18 decimals."""

    kind: int
    active: bool
    board: int
    price: int
    amount: int
    collateral: int
    expiry: int
    strike: int


def read_state(data: bytes) -> AvalonState:
    adapter, cache, token, quote, base, priced, spot, paused, least, rate, fees, *care, boards, settled = (
        decode([_STATE], data)[0]
    )
    _, fee_share, _, least_penalty = fees
    prices = enumerate(_halves(settled), 1)
    return AvalonState(
        adapter,
        cache,
        token,
        quote,
        base,
        spot if priced else None,
        paused,
        MinimumTerms(*(*least, rate)),
        fee_share,
        least_penalty,
        MappingProxyType({each[0]: _board(*each) for each in boards}),
        AvalonCare(*(*care, MappingProxyType({board: price for board, price in prices if price}))),
    )


def _board(
    number: int, expiry: int, frozen: bool, iv: int, updated: int, spot: int, skews: bytes
) -> AvalonBoard:
    found = _halves(skews)
    by_strike = MappingProxyType(dict(zip(found[::2], found[1::2], strict=True)))
    return AvalonBoard(number, expiry, frozen, iv, updated, spot, by_strike)


def _halves(data: bytes) -> list[int]:
    """Numbers of 16 bytes each."""
    return [int.from_bytes(data[at : at + 16], "big") for at in range(0, len(data), 16)]


def read_position(record: bytes) -> OptionPosition:
    price, amount, collateral = (int.from_bytes(record[at : at + 32], "big") for at in (18, 50, 82))
    board, expiry = int.from_bytes(record[2:18], "big"), int.from_bytes(record[114:122], "big")
    strike, active = int.from_bytes(record[122:138], "big"), record[1] == _ACTIVE
    return OptionPosition(record[0], active, board, price, amount, collateral, expiry, strike)
