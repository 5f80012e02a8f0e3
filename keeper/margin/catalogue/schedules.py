"""Margin schedules in the catalogue: one linear position, exact rationals in the settlement unit."""

from __future__ import annotations

from datetime import date

from keeper.errors import MarginError
from keeper.margin.catalogue.entry import Entry, ModelAnswer
from keeper.margin.catalogue.reading import Fields
from keeper.margin.interface import Provenance
from keeper.margin.schedules import binance, deribit_linear, drift, hyperliquid
from keeper.margin.schedules.prices import Position, bankruptcy_price, liquidation_price
from keeper.margin.schedules.tiers import Schedule, Tier, requirement

PUBLISHED: dict[str, Schedule] = {
    "binance-btcusdt": binance.BTCUSDT_2021,
    "binance-btcusd-coin-m": binance.BTCUSD_COIN_M_2020,
    **{f"hyperliquid-{asset.lower()}": table for asset, table in hyperliquid.TABLES.items()},
}


def _schedule(fields: Fields) -> Schedule:
    """A published table by name, or the file's own tiers."""
    if not fields.has("tiers"):
        name = fields.text("table")
        if name not in PUBLISHED:
            raise MarginError(
                f"no table {name!r}", field="table", remedy=f"Known: {', '.join(sorted(PUBLISHED))}."
            )
        return PUBLISHED[name]
    tiers = []
    for each in fields.children("tiers"):
        leverage = each.fraction("max_leverage")
        half = 1 / (2 * leverage) if leverage > 0 else leverage
        tiers.append(Tier(each.fraction("lower"), each.fraction("maintenance_rate", half), leverage))
        each.finish()
    return Schedule(tuple(tiers), Provenance("given", date.min, "the portfolio file"))


def tiers(fields: Fields) -> ModelAnswer:
    """`size`, `price`, `equity`, and a `table` by name or `tiers`; `leverage` where one is chosen."""
    schedule = _schedule(fields)
    size, price = fields.fraction("size"), fields.fraction("price")
    equity = fields.fraction("equity")
    leverage = fields.fraction("leverage") if fields.has("leverage") else None
    needed = requirement(schedule, size, price, equity, leverage)
    tier = schedule.tier(abs(size) * price)
    lines = [
        f"notional {float(abs(size) * price):,.2f} at {float(tier.maintenance_rate):.4%} "
        f"less {float(schedule.deductions[schedule.index(abs(size) * price)]):,.2f}",
        f"at most {float(tier.max_leverage):g} × leverage",
    ]
    if size:
        liquidation = liquidation_price(equity, Position(size, price, schedule))
        bankruptcy = bankruptcy_price(equity, size, price)
        lines += [
            "no price liquidates" if liquidation is None else f"liquidated at {float(liquidation):,.4f}",
            "no price bankrupts" if bankruptcy is None else f"bankrupt at {float(bankruptcy):,.4f}",
        ]
    return ModelAnswer(needed, "settlement units", schedule.provenance, tuple(lines))


def deribit(fields: Fields) -> ModelAnswer:
    """`instrument` (or its three parameters), `size` in coins, `index` and `equity`."""
    if fields.has("instrument"):
        name = fields.text("instrument")
        if name not in deribit_linear.TERMS:
            raise MarginError(
                f"no parameters for {name!r}",
                field="instrument",
                remedy="Give initial_base, maintenance_base and slope.",
            )
        terms = deribit_linear.TERMS[name]
    else:
        terms = deribit_linear.SizeScaledTerms(
            fields.fraction("initial_base"), fields.fraction("maintenance_base"), fields.fraction("slope")
        )
    size, index = fields.fraction("size"), fields.fraction("index")
    needed = deribit_linear.requirement(size, index, fields.fraction("equity"), terms)
    added = float(abs(size) * terms.slope)
    lines = (f"base {float(terms.maintenance_base):.4%} plus {added:.4%} for the position's size",)
    return ModelAnswer(needed, "settlement units", terms.provenance, lines)


def drift_v2(fields: Fields) -> ModelAnswer:
    """`size` (1e9), `price` (1e6), `pnl` and `collateral` (1e6), ratios and weights (1e4), imf (1e6)."""
    terms = drift.PerpTerms(
        fields.integer("initial_ratio"),
        fields.integer("maintenance_ratio"),
        fields.integer("imf_factor", 0),
        fields.integer("pnl_initial_weight", drift.WEIGHT_PRECISION),
        fields.integer("pnl_maintenance_weight", drift.WEIGHT_PRECISION),
        fields.integer("pnl_imf_factor", 0),
    )
    needed = drift.requirement(
        fields.integer("size"),
        fields.integer("price"),
        fields.integer("pnl", 0),
        fields.integer("collateral"),
        terms,
    )
    lines = (
        f"maintenance ratio {needed.parts['maintenance_ratio']} of 10000 "
        f"(base {terms.maintenance_ratio}), initial {needed.parts['initial_ratio']}",
    )
    return ModelAnswer(needed, "quote, 6 decimals", terms.provenance, lines)


ENTRIES = (
    Entry("tiers", "a linear position under a tiered schedule (Binance, Hyperliquid or own)", tiers),
    Entry("deribit-linear", "Deribit linear perpetual, margin rate by size", deribit),
    Entry("drift-v2", "Drift v2 perpetual, weights by size, exact", drift_v2),
)
