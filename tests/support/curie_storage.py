"""What Perp v2 holds and no view of it tells, read from its storage: with these numbers and the views'
positions and balances an account is worth the same at any price and time as the exchange's own views say."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.localchain.perp_v2_market import LocalBase
from keeper.localchain.rpc import as_str
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
    values = [word(market, market.system.exchange, first + place) for place in range(2)]
    settled = word(market, market.system.exchange, mapped(LAST_SETTLED, "address", base.token))
    return PremiumGrowth(signed(values[0]), signed(values[1]), settled)


def first_traded(market: CurieExchange, base: LocalBase) -> int:
    """When the market's pool was first traded in, 0 for never: averages reach back no further."""
    return word(market, market.system.exchange, mapped(FIRST_TRADED, "address", base.token))


def tick_growth(market: CurieExchange, base: LocalBase, tick: int) -> TickGrowth:
    """What grew on the far side of a tick."""
    first = mapped(mapped(TICKS, "address", base.token), "int24", tick)
    values = [word(market, market.system.order_book, first + place) for place in range(3)]
    return TickGrowth(values[0], signed(values[1]), signed(values[2]))


def fee_growth(market: CurieExchange, base: LocalBase) -> int:
    """Fees of the market a unit of liquidity, since it opened."""
    return word(market, market.system.order_book, mapped(FEES, "address", base.token))


def mapped(slot: int, kind: str, key: object) -> int:
    """Where a mapping at a slot keeps the value of a key."""
    return int.from_bytes(keccak(encode([kind, "uint256"], [key, slot])))


def word(market: CurieExchange, contract: str, slot: int) -> int:
    """One slot as an unsigned number."""
    return int(as_str(market.anvil.rpc.call("eth_getStorageAt", contract, hex(slot), "latest")), 16)


def signed(value: int) -> int:
    """A word as a signed number."""
    return value - 2**256 if value >> 255 else value
