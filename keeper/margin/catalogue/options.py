"""Option venues and protocols in the catalogue, and the portfolio engine.

A file has `positions`, `market` and `parameters`, each with the fields of the model's own dataclasses
(`keeper.margin.reading`). There is no `market` where the positions carry their feeds; `parameters` may be
left out where the source publishes one set, or name a published table: {"table": "btc-2024-06"}. The
portfolio engine's form is in `keeper.margin.portfolio.reading`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from keeper.errors import MarginError
from keeper.margin.catalogue.entry import Entry, ModelAnswer
from keeper.margin.catalogue.reading import Fields
from keeper.margin.interface import MarginModel, Provenance, Requirement
from keeper.margin.options import deribit, deribit_portfolio, deribit_tables, opyn, opyn_naked, span
from keeper.margin.options.derive import pmrm, pmrm2, pmrm2_parameters, srm
from keeper.margin.options.lyra_avalon import minimum, shorts
from keeper.margin.portfolio.accounts import Accounts
from keeper.margin.portfolio.engine import PortfolioMargin
from keeper.margin.portfolio.explain import explain
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import DprmParameters
from keeper.margin.portfolio.reading import read
from keeper.margin.reading import build, mapping, not_a_field, value

Lines = tuple[str, ...]
_EXPLAINED_LEGS = 5


@dataclass(frozen=True, slots=True)
class _Problem:
    """How a model's file is read and its answer explained."""

    model: MarginModel[Any, Any, Any]
    unit: str
    tell: Callable[[Requirement, Any], Lines]
    positions: Any
    market: Any = None
    parameters: Any = None
    provenance: Provenance | None = None
    table: Callable[[str], object] | None = None

    def answer(self, fields: Fields) -> ModelAnswer:
        """Build the model's inputs and compute its answer; MarginError names the field at fault."""
        raw = fields.whole()
        known = (
            {"positions"}
            | ({"market"} if self.market else set())
            | ({"parameters"} if self.parameters else set())
        )
        for name in raw:
            if name not in known:
                raise not_a_field(name, known)
        if "positions" not in raw:
            raise MarginError("is missing", field="positions", remedy="Give the positions.")
        positions = value(self.positions, raw["positions"], "positions")
        market = value(self.market, raw.get("market"), "market") if self.market else None
        parameters: Any = self._parameters(raw.get("parameters", {})) if self.parameters else None
        needed = self.model.requirement(positions, market, parameters)
        return ModelAnswer(
            needed, self.unit, self.provenance or parameters.provenance, self.tell(needed, parameters)
        )

    def _parameters(self, raw: object) -> object:
        given = mapping(raw, "parameters")
        if self.table is None or "table" not in given:
            return build(self.parameters, given, "parameters")
        for name in given:
            if name != "table":
                raise not_a_field(f"parameters.{name}", {"table"})
        try:
            return self.table(value(str, given["table"], "parameters.table"))
        except MarginError as error:
            raise MarginError(error.what, field="parameters.table", remedy=error.remedy) from error


def _standard(needed: Requirement, _: object) -> Lines:
    by_position = np.atleast_1d(np.asarray(needed.parts["maintenance_by_position"], dtype=np.float64))
    return tuple(f"position {i}: maintenance {each:.6f}" for i, each in enumerate(by_position))


def _matrix(needed: Requirement, _: object) -> Lines:
    return tuple(
        f"{name.replace('_', ' ')} {needed.parts[name]:.8f}"
        for name in ("worst_case", "delta_shock", "roll_shock")
    )


def _net(needed: Requirement, _: object) -> Lines:
    return (
        f"net initial margin {needed.parts['net_initial']:,.2f}",
        f"net maintenance margin {needed.parts['net_maintenance']:,.2f}",
    )


def _scenarios(
    needed: Requirement, parameters: pmrm.PmrmParameters | pmrm2_parameters.Pmrm2Parameters
) -> Lines:
    profits = np.asarray(needed.parts["scenario_profits"], dtype=np.float64)
    worst = int(np.asarray(needed.parts["worst_scenario"]))
    named = "the basis contingency"
    if worst < len(profits):
        scenario = parameters.scenarios[worst]
        named = f"spot × {scenario.spot:g}, volatility {scenario.volatility.value}, {profits[worst]:,.2f}"
    return (
        f"worst of {len(profits)} scenarios: {named}",
        f"basis contingency {needed.parts['basis_contingency']:,.2f}",
    )


def _vault(needed: Requirement, _: object) -> Lines:
    need, held = (float(each) / 1e27 for each in (needed.maintenance, needed.equity))
    return (f"needs {need:g} of its collateral, holds {held:g}",)


def _short(needed: Requirement, _: object) -> Lines:
    need, held = (float(each) / 1e18 for each in (needed.maintenance, needed.equity))
    return (f"needs {need:g} of its collateral, holds {held:g}",)


def _span(needed: Requirement, _: object) -> Lines:
    losses = np.asarray(needed.parts["losses"], dtype=np.float64)
    return (f"worst of 16 scenarios: {int(losses.argmax()) + 1}, loss {losses.max():,.2f}",)


def _portfolio(fields: Fields) -> ModelAnswer:
    """`market` prices by underlying, `parameters`, and `accounts` with their legs."""
    accounts, market, parameters = read(fields.whole())
    needed = PortfolioMargin().requirement(accounts, market, parameters)
    lines = tuple(
        line for account in range(len(accounts)) for line in _explained(accounts, account, market, parameters)
    )
    return ModelAnswer(needed, "settlement units of the prices", parameters.provenance, lines)


def _explained(accounts: Accounts, account: int, market: MarketData, parameters: DprmParameters) -> Lines:
    why = explain(accounts, account, market, parameters)
    lines = [
        f"account {account}: equity {why.equity:,.2f}, worst loss {why.worst_loss:,.2f}, "
        f"hedges save {why.hedges:,.2f}, offsets {why.offset:,.2f}"
    ]
    lines += [
        f"  {each.underlying} {each.price_move:+.1%}, {each.name}: loss {each.loss:,.2f}"
        for each in why.scenarios
    ]
    lines += [
        f"  {leg.table}[{leg.row}] {leg.underlying}: {leg.loss:,.2f} "
        f"(delta {leg.delta:,.2f}, gamma {leg.gamma:,.2f}, vega {leg.vega:,.2f})"
        for leg in why.legs[:_EXPLAINED_LEGS]
    ]
    lines += [f"  {name} {amount:,.2f}" for name, amount in why.charges.items() if amount]
    return tuple(lines)


_PROBLEMS = (
    (
        "Deribit standard margin of option positions",
        _Problem(
            deribit.StandardMargin(), "coin of the underlying", _standard, deribit.OptionPositions, float,
            deribit.StandardParameters, table=deribit.standard_parameters,
        ),
    ),
    (
        "Deribit portfolio margin of one coin (S:PM)",
        _Problem(
            deribit_portfolio.SegregatedPortfolioMargin(), "coin", _matrix, deribit_portfolio.CoinPortfolio,
            float, deribit_tables.PortfolioParameters, table=deribit_tables.portfolio_parameters,
        ),
    ),
    (
        "Derive Standard Risk Manager",
        _Problem(srm.StandardManager(), "USDC", _net, srm.SrmPortfolio, float, srm.SrmParameters),
    ),
    (
        "Derive Portfolio Margin Risk Manager v1",
        _Problem(
            pmrm.PortfolioMarginManager(), "USDC", _scenarios, pmrm.PmrmPortfolio, None, pmrm.PmrmParameters
        ),
    ),
    (
        "Derive Portfolio Margin Risk Manager v2",
        _Problem(
            pmrm2.PortfolioMarginManager2(), "USDC", _scenarios, pmrm2.Pmrm2Portfolio, None,
            pmrm2_parameters.Pmrm2Parameters,
        ),
    ),
    (
        "Opyn Gamma fully collateralised or spread vault, exact",
        _Problem(
            opyn.GammaVaults(), "collateral, 27 decimals", _vault, opyn.Vault, opyn.Prices,
            provenance=opyn.GAMMA,
        ),
    ),
    (
        "Opyn Gamma naked vault, exact",
        _Problem(
            opyn_naked.NakedVaults(), "collateral, 27 decimals", _vault, opyn.Vault, opyn_naked.NakedMarket,
            opyn_naked.NakedParameters,
        ),
    ),
    (
        "Lyra Avalon short position, exact",
        _Problem(
            shorts.AvalonShorts(), "collateral, 18 decimals", _short, shorts.AvalonShort,
            shorts.AvalonMarket, minimum.MinimumTerms,
        ),
    ),
    (
        "CME SPAN scan risk of one combined commodity",
        _Problem(
            span.Span(), "currency of the price range", _span, span.SpanPortfolio, float,
            span.SpanParameters,
        ),
    ),
)  # fmt: skip

ENTRIES = (
    *(Entry(problem.model.name, summary, problem.answer) for summary, problem in _PROBLEMS),
    Entry("dprm", "portfolio margin over scenarios: options, perps, spot, collateral", _portfolio),
)
