"""An account for people: its collaterals and its positions, each with the prices at which it breaks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from keeper.margin.rounding import WAD
from keeper.model.bisection import edge
from keeper.model.valuation import AssetLine, PositionLine
from keeper.protocols.synthetix_v3.lens import DOLLAR, PerpsState
from keeper.protocols.synthetix_v3.records import PerpsAccount
from keeper.protocols.synthetix_v3.valuing import accrued, collateral, cross_account, valued

FORMULA = "Synthetix v3: (discounted collateral + profit − debt) ÷ (maintenance margin + liquidation reward)"
# No price is looked for above so many times the present one.
_HIGHEST_FACTOR = 100


def collaterals(state: PerpsState, raw: PerpsAccount, symbols: Mapping[str, str]) -> list[AssetLine]:
    """Each collateral; its threshold is what of its value counts, in basis points. Dollars bear the debt."""
    lines = []
    for identity, amount in raw.collaterals or ((DOLLAR, 0),):
        synth = state.synths[identity]
        token = state.dollar.lower() if identity == DOLLAR else synth.token
        has = collateral(synth, amount)
        debt = raw.debt if identity == DOLLAR else 0
        counts = (WAD - has.discount) // 10**14
        lines.append(
            AssetLine(
                token, symbols.get(token, token), 18, synth.price or 0, amount, has.value, counts, debt, debt
            )
        )
    return lines


def positions(state: PerpsState, account: str, raw: PerpsAccount, timestamp: int) -> Iterator[PositionLine]:
    now = accrued(state, timestamp)
    worth = cross_account(state, raw, now)
    for held, line in zip(raw.positions, worth.positions, strict=True):
        perp = state.perps[held.market]
        below, above = _breaks(state, account, raw, held.market, timestamp)
        yield PositionLine(
            f"market:{perp.id}",
            perp.symbol,
            held.size,
            held.price,
            line.price,
            line.pnl,
            line.accrued_funding,
            *line.margins,
            below,
            above,
        )


def _breaks(
    state: PerpsState, account: str, raw: PerpsAccount, market: int, timestamp: int
) -> tuple[int | None, int | None]:
    """The nearest prices of one market below and above the present one at which the account breaks."""
    perp = state.perps[market]
    if perp.price is None:
        return None, None

    def holds(price: int) -> bool:
        perps = MappingProxyType({**state.perps, market: replace(perp, price=price)})
        moved = replace(state, perps=perps)
        return not valued(moved, account, raw, accrued(moved, timestamp)).liquidatable

    if not holds(perp.price):
        return None, None
    highest = perp.price * _HIGHEST_FACTOR
    below = None if holds(0) else edge(holds, perp.price, 0) - 1
    above = None if holds(highest) else edge(holds, perp.price, highest) + 1
    return below, above
