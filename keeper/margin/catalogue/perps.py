"""Perpetual exchanges in the catalogue: accounts in the exchange's own integers."""

from __future__ import annotations

from keeper.margin.catalogue.entry import Entry, ModelAnswer
from keeper.margin.catalogue.reading import Fields
from keeper.margin.perps import perp_v2
from keeper.margin.perps.dydx_v4 import liquidation as dydx_liquidation
from keeper.margin.perps.dydx_v4 import risk as dydx
from keeper.margin.perps.gmx_v2 import position as gmx
from keeper.margin.perps.synthetix_v3 import account as snx
from keeper.margin.perps.synthetix_v3 import cross_margin as cross
from keeper.margin.rounding import WAD
from keeper.margin.schedules.dydx_v4 import LiquidityTier


def synthetix_v3(fields: Fields) -> ModelAnswer:
    """`collateral`, `positions` with their markets' parameters, `keeper` where rewards count; 18 decimals."""
    positions = []
    for each in fields.children("positions"):
        terms = _synthetix_terms(each)
        positions.append(
            snx.Position(
                each.integer("size"),
                each.integer("entry_price"),
                each.integer("price"),
                terms,
                each.integer("funding", 0),
            )
        )
        each.finish()
    needed = snx.requirement(positions, fields.integer("collateral"), _synthetix_keeper(fields))
    lines = tuple(
        f"position {place}: maintenance {snx.position_margins(each)[1]}, profit and loss {each.pnl}"
        for place, each in enumerate(positions)
    )
    return ModelAnswer(needed, "USD, 18 decimals", snx.BFP, lines)


def synthetix_v3_cross(fields: Fields) -> ModelAnswer:
    """As of 3.13.0: `collaterals` with prices and discounts, `positions`, `debt`, `keeper`; 18 decimals."""
    collaterals, positions = [], []
    for each in fields.children("collaterals"):
        collaterals.append(
            cross.Collateral(
                each.integer("amount"),
                each.integer("price", WAD),
                each.integer("skew_scale", 0),
                each.integer("scalar", 0),
                each.integer("lower", 0),
                each.integer("upper", 0),
            )
        )
        each.finish()
    for each in fields.children("positions"):
        terms = _synthetix_terms(each)
        positions.append(
            cross.OpenPosition(
                each.integer("size"),
                each.integer("entry_price"),
                each.integer("price"),
                terms,
                each.integer("entry_funding", 0),
                each.integer("funding", 0),
                each.integer("entry_interest", 0),
                each.integer("interest", 0),
                each.integer("locked_ratio", 0),
            )
        )
        each.finish()
    account = cross.CrossAccount(collaterals, positions, fields.integer("debt", 0))
    needed = cross.requirement(account, _synthetix_keeper(fields))
    lines = tuple(
        f"position {place}: maintenance {each.margins[1]}, profit and loss {each.pnl}"
        for place, each in enumerate(positions)
    )
    return ModelAnswer(needed, "USD, 18 decimals", cross.NPM_3_13, lines)


def _synthetix_terms(position: Fields) -> snx.MarketTerms:
    return snx.MarketTerms(
        position.integer("skew_scale"),
        position.integer("initial_ratio"),
        position.integer("min_initial_ratio"),
        position.integer("maintenance_scalar"),
        position.integer("min_position_margin", 0),
        position.integer("flag_reward_ratio", 0),
        position.integer("window_max", 0),
    )


def _synthetix_keeper(fields: Fields) -> snx.KeeperTerms:
    if not fields.has("keeper"):
        return snx.NO_KEEPER
    raw = fields.child("keeper")
    keeper = snx.KeeperTerms(
        raw.integer("min_reward"),
        raw.integer("max_reward"),
        raw.integer("min_profit_ratio", 0),
        raw.integer("max_scaling_ratio", WAD),
        raw.integer("flag_cost", 0),
        raw.integer("liquidate_cost", 0),
        raw.integer("collateral_reward_ratio", 0),
    )
    raw.finish()
    return keeper


def gmx_v2(fields: Fields) -> ModelAnswer:
    """One position: sizes in USD (30 decimals) and index tokens, `collateral` and `fees` in its token."""
    position = gmx.Position(
        fields.flag("is_long"),
        fields.integer("size_usd"),
        fields.integer("size_tokens"),
        fields.integer("collateral"),
    )
    prices = gmx.Prices(
        fields.integer("index_min"), fields.integer("index_max"), fields.integer("collateral_min")
    )
    terms = gmx.PositionTerms(
        fields.integer("min_collateral_usd"),
        fields.integer("min_collateral_factor"),
        fields.integer("max_liquidation_impact_factor", 0),
    )
    impact, fees = fields.integer("price_impact", 0), fields.integer("fees", 0)
    needed = gmx.requirement(position, prices, terms, impact, fees)
    remaining = gmx.remaining_collateral(position, prices, terms, impact, fees)
    reason = gmx.liquidation_reason(remaining, position, terms)
    line = "not liquidatable" if reason is None else f"liquidatable: {reason}"
    return ModelAnswer(needed, "USD, 30 decimals", terms.provenance, (line,))


def dydx_v4(fields: Fields) -> ModelAnswer:
    """`quote_balance` in quote quantums and `positions` in base quantums with their market and tier."""
    held = []
    for each in fields.children("positions"):
        tier = LiquidityTier(
            each.integer("initial_margin_ppm"),
            each.integer("maintenance_fraction_ppm"),
            each.integer("open_interest_lower_cap", 0),
            each.integer("open_interest_upper_cap", 0),
        )
        perpetual = dydx.Perpetual(
            each.integer("price"),
            each.integer("exponent"),
            each.integer("atomic_resolution"),
            tier,
            each.integer("open_interest", 0),
        )
        held.append((perpetual, each.integer("quantums")))
        each.finish()
    quote = fields.integer("quote_balance")
    needed, total = dydx.requirement(quote, held), dydx.account_risk(quote, held)
    lines = []
    for place, (perpetual, size) in enumerate(held):
        own = dydx.position_risk(perpetual, size)
        line = f"position {place}: maintenance {own.mmr} of {total.mmr}"
        if size and total.mmr:
            bankrupt = dydx_liquidation.bankruptcy_price_up(perpetual, size, -size, total)
            fillable = float(dydx_liquidation.fillable_price(perpetual, size, total))
            line += f", bankrupt at {bankrupt} quote quantums, fillable at {fillable:g} each"
        lines.append(line)
    return ModelAnswer(needed, "quote quantums (1e-6)", dydx_liquidation.V4_CLOB, tuple(lines))


def perp_protocol_v2(fields: Fields) -> ModelAnswer:
    """`collateral` with settled profit, `positions` of `size`, `quote`, `mark`, `index`; 18 decimals."""
    positions = []
    for each in fields.children("positions"):
        mark = each.integer("mark")
        positions.append(
            perp_v2.Position(each.integer("size"), each.integer("quote"), mark, each.integer("index", mark))
        )
        each.finish()
    collateral = fields.integer("collateral")
    needed = perp_v2.requirement(positions, collateral)
    value = collateral + perp_v2.unrealized_pnl(positions)
    lines = tuple(
        f"position {place}: worth {each.value}, liquidatable now "
        f"{perp_v2.liquidatable_size(each, positions, value)} of {each.size}"
        for place, each in enumerate(positions)
    )
    return ModelAnswer(needed, "quote, 18 decimals", perp_v2.CURIE, lines)


ENTRIES = (
    Entry("synthetix-v3", "Synthetix v3 perps account, exact", synthetix_v3),
    Entry("synthetix-v3-cross", "Synthetix v3 perps account as of 3.13.0, exact", synthetix_v3_cross),
    Entry("gmx-v2", "GMX v2 position, exact", gmx_v2),
    Entry("dydx-v4", "dYdX v4 subaccount, exact", dydx_v4),
    Entry("perp-v2", "Perpetual Protocol v2 account, exact", perp_protocol_v2),
)
