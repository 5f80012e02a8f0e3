"""Lending protocols in the catalogue: token units, prices and factors as the contracts hold them."""

from __future__ import annotations

from datetime import date

from keeper.errors import MarginError
from keeper.margin.catalogue.entry import Entry, ModelAnswer
from keeper.margin.catalogue.reading import Fields
from keeper.margin.checks import within
from keeper.margin.interface import Provenance
from keeper.margin.lending.aave import rules as aave
from keeper.margin.lending.aave.fixed import PERCENT
from keeper.margin.lending.aave.health import summarise
from keeper.margin.lending.comet import account as comet
from keeper.margin.lending.comet import rates
from keeper.margin.lending.comet.terms import (
    BASE_INDEX_SCALE,
    FACTOR_SCALE,
    PRICE_SCALE,
    CollateralTerms,
    CometTerms,
)
from keeper.margin.lending.liquity import trove as liquity
from keeper.margin.lending.models import aave_requirement
from keeper.margin.lending.morpho import market as morpho
from keeper.margin.lending.morpho import position as morpho_position
from keeper.margin.lending.morpho import pre_liquidation
from keeper.margin.rounding import WAD

AAVE_VERSIONS = {each.version: each for each in aave.BY_REVISION.values()}
# Ten to this still fits 256 bits.
MOST_DECIMALS = 77
AAVE_ORIGIN = date(2024, 6, 1)


def aave_v3(fields: Fields) -> ModelAnswer:
    """`version` and `positions`: `supplied`, `owed` (token units), `price`, `decimals`, `threshold` (bps)."""
    version = fields.text("version")
    if version not in AAVE_VERSIONS:
        raise MarginError(
            f"no rules for version {version!r}",
            field="version",
            remedy=f"Known: {', '.join(AAVE_VERSIONS)}.",
        )
    rules = AAVE_VERSIONS[version]
    collateral = weighted = debt = 0
    lines = []
    for place, each in enumerate(fields.children("positions")):
        unit = 10 ** within(each.integer("decimals"), 0, MOST_DECIMALS, each.name_of("decimals"))
        price, threshold = each.natural("price"), each.natural("threshold", 0)
        within(threshold, 0, PERCENT, each.name_of("threshold"))
        value = each.natural("supplied", 0) * price // unit
        owed = rules.debt_value(each.natural("owed", 0), price, unit)
        each.finish()
        if threshold or rules.threshold_zero_counts:
            collateral += value
        weighted += value * threshold
        debt += owed
        lines.append(f"position {place}: {value} at {threshold / 10_000:.2%} threshold, owes {owed}")
    data = summarise(collateral, weighted, debt, rules)
    if debt:
        lines.append(f"health factor {data.health / WAD:.6f}")
    needed = aave_requirement(data)
    provenance = Provenance(version, AAVE_ORIGIN, "aave/core-v3, aave-dao/aave-v3-origin")
    return ModelAnswer(needed, "base currency, 18 more decimals", provenance, tuple(lines))


def morpho_blue(fields: Fields) -> ModelAnswer:
    """`market` totals, `position`, `price` (scaled by 1e36·10^(loan − collateral decimals)) and `lltv`.

    `pre_liquidation` where the borrower has authorised it: `table` "sdk" for the published terms, or
    `pre_lltv`, `pre_lcf_1`, `pre_lcf_2`, `pre_lif_1`, `pre_lif_2`.
    """
    raw, held = fields.child("market"), fields.child("position")
    terms = morpho.MarketTerms(fields.integer("lltv"))
    price = fields.integer("price")
    market = morpho.MarketState(
        raw.integer("total_supply_assets", 0),
        raw.integer("total_supply_shares", 0),
        raw.integer("total_borrow_assets"),
        raw.integer("total_borrow_shares"),
    )
    position = morpho_position.Position(
        held.integer("collateral"), held.integer("borrow_shares"), held.integer("supply_shares", 0)
    )
    for each in (raw, held):
        each.finish()
    if position.borrow_shares > market.total_borrow_shares:
        raise MarginError("is more than the whole market's", field="position.borrow_shares")
    needed = morpho_position.requirement(position, market, price, terms)
    at = morpho_position.liquidation_price_up(position, market, terms)
    least = morpho_position.required_collateral_up(position, market, price, terms)
    lines = [
        f"debt {morpho_position.borrowed_up(position, market)} of at most {needed.equity}",
        "no debt, so no liquidation price" if at is None else f"liquidated below a price of {at}",
        f"collateral needed now {least} of {position.collateral}",
        f"a liquidator gets {terms.incentive_factor / WAD:.4f} of collateral for 1 of debt",
    ]
    if fields.has("pre_liquidation"):
        pre = _pre_liquidation(fields.child("pre_liquidation"), terms)
        seizable = pre_liquidation.pre_seizable(position, market, price, terms, pre)
        lines.append(
            f"pre-liquidation above a loan to value of {pre.pre_lltv / WAD:.4f}: "
            + (f"up to {seizable} of collateral now" if seizable else "not now")
        )
    return ModelAnswer(needed, "loan token units", terms.provenance, tuple(lines))


def _pre_liquidation(fields: Fields, terms: morpho.MarketTerms) -> pre_liquidation.PreLiquidationTerms:
    if fields.has("table"):
        if fields.text("table") != "sdk":
            raise MarginError("no such table", field=fields.name_of("table"), remedy="Known: sdk.")
        found = pre_liquidation.default_terms(terms.lltv)
    else:
        found = pre_liquidation.PreLiquidationTerms(
            fields.integer("pre_lltv"),
            fields.integer("pre_lcf_1"),
            fields.integer("pre_lcf_2"),
            fields.integer("pre_lif_1"),
            fields.integer("pre_lif_2"),
            Provenance("given", date.min, "the portfolio file"),
        )
    fields.finish()
    return found


def compound_v3(fields: Fields) -> ModelAnswer:
    """`principal` (signed), `base_scale`, indices, and `collateral` entries with factors in 1e18."""
    terms = CometTerms(fields.integer("base_scale"))
    base_price = fields.integer("base_price", PRICE_SCALE)
    totals = rates.Totals(
        fields.integer("supply_index", BASE_INDEX_SCALE),
        fields.integer("borrow_index", BASE_INDEX_SCALE),
        0,
        0,
    )
    holdings = []
    for each in fields.children("collateral"):
        collateral = CollateralTerms(
            each.integer("scale"),
            each.integer("borrow_cf"),
            each.integer("liquidate_cf"),
            each.integer("liquidation_factor", FACTOR_SCALE),
        )
        holdings.append(comet.Holding(each.integer("balance"), each.integer("price"), collateral))
        each.finish()
    account = comet.Account(fields.integer("principal"), holdings)
    needed = comet.requirement(account, totals, terms, base_price)
    borrowable = comet.is_borrow_collateralized(account, totals, terms, base_price)
    lines = [
        f"collateral {place}: worth {each.value}, counts "
        f"{each.value * each.terms.liquidate_cf // FACTOR_SCALE} against liquidation"
        for place, each in enumerate(holdings)
    ]
    lines.append("may still borrow" if borrowable else "may not borrow any more")
    return ModelAnswer(needed, "price units, 8 decimals", terms.provenance, tuple(lines))


def liquity_v1(fields: Fields) -> ModelAnswer:
    """`trove` and `system` with `coll` and `debt`, the `price` and the stability `pool`, 18 decimals."""

    def read(name: str) -> liquity.Trove:
        raw = fields.child(name)
        trove = liquity.Trove(raw.integer("coll"), raw.integer("debt"))
        raw.finish()
        return trove

    trove, system, price = read("trove"), read("system"), fields.integer("price")
    for name in ("coll", "debt"):
        if getattr(system, name) < getattr(trove, name):
            raise MarginError("is less than the trove's own", field=f"system.{name}")
    needed = liquity.requirement(trove, system, price)
    outcome = liquity.liquidation(trove, system, price, fields.integer("pool", 0))
    recovery = liquity.in_recovery_mode(system, price)
    lines = (
        "recovery mode: the system is below its critical ratio" if recovery else "normal mode",
        f"collateral ratio {liquity.collateral_ratio_down(trove, price) / WAD:.4f}, "
        f"liquidated below {liquity.liquidation_ratio(system, price) / WAD:.4f}",
        f"liquidation now: {outcome.mode.value}",
    )
    return ModelAnswer(needed, "LUSD, 36 decimals", liquity.LIQUITY_V1, lines)


ENTRIES = (
    Entry("aave-v3", "Aave v3 account by version, exact", aave_v3),
    Entry("morpho-blue", "Morpho Blue borrower, exact", morpho_blue),
    Entry("compound-v3", "Compound v3 (Comet) account, exact", compound_v3),
    Entry("liquity-v1", "Liquity v1 trove with recovery mode, exact", liquity_v1),
)
