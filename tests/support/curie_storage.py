"""What Perp v2 holds and no view of it tells, read from its storage: with these numbers and the views'
positions and balances an account is worth the same at any price and time as the exchange's own views say."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.localchain.perp_v2_market import LocalBase
from keeper.localchain.rpc import Request, as_int
from keeper.margin.perps.perp_v2_market import PremiumGrowth
from keeper.margin.perps.perp_v2_ranges import TickGrowth
from tests.support.curie_exchange import CurieExchange

FIRST_TRADED, LAST_SETTLED, GROWTH = 209, 210, 211
"""The exchange's slots, mappings by base token."""
TICKS, FEES = 208, 209
"""The order book's slots, mappings by base token (and tick)."""


def premium_growth(market: CurieExchange, base: LocalBase) -> PremiumGrowth:
    """The market's funding as it was last settled."""
    first = mapped(GROWTH, "address", base.token)
    settled = mapped(LAST_SETTLED, "address", base.token)
    values = words(market, market.system.exchange, first, first + 1, settled)
    return PremiumGrowth(signed(values[0]), signed(values[1]), values[2])


def first_traded(market: CurieExchange, base: LocalBase) -> int:
    """When the market's pool was first traded in, 0 for never: averages reach back no further."""
    return words(market, market.system.exchange, mapped(FIRST_TRADED, "address", base.token))[0]


def tick_growth(market: CurieExchange, base: LocalBase, tick: int) -> TickGrowth:
    """What grew on the far side of a tick."""
    first = mapped(mapped(TICKS, "address", base.token), "int24", tick)
    values = words(market, market.system.order_book, first, first + 1, first + 2)
    return TickGrowth(values[0], signed(values[1]), signed(values[2]))


def fee_growth(market: CurieExchange, base: LocalBase) -> int:
    """Fees of the market a unit of liquidity, since it opened."""
    return words(market, market.system.order_book, mapped(FEES, "address", base.token))[0]


def mapped(slot: int, kind: str, key: object) -> int:
    """Where a mapping at a slot keeps the value of a key."""
    return int.from_bytes(keccak(encode([kind, "uint256"], [key, slot])))


def words(market: CurieExchange, contract: str, *slots: int) -> list[int]:
    """Slots of a contract as unsigned numbers."""
    reads: list[Request] = [("eth_getStorageAt", [contract, hex(slot), "latest"]) for slot in slots]
    return [as_int(value) for value in market.anvil.rpc.batch(reads)]


def signed(value: int) -> int:
    """A word as a signed number."""
    return value - 2**256 if value >> 255 else value
