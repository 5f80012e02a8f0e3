"""Risk models in the catalogue: margin by Expected Shortfall over the liquidation period or by volatility."""

from __future__ import annotations

import numpy as np

from keeper.errors import MarginError
from keeper.margin.catalogue.entry import Entry, ModelAnswer
from keeper.margin.catalogue.reading import Fields
from keeper.margin.risk import dynamic, normal, volatility
from keeper.margin.risk.shortfall import (
    ExpectedShortfallMargin,
    Exposures,
    Method,
    ReturnHistory,
    ShortfallTerms,
)


def expected_shortfall(fields: Fields) -> ModelAnswer:
    """`exposures` (money per unit of return), `equity`, `method`, and the daily `returns` or `covariance`.

    Initial margin is the shortfall at `level` (0.99), maintenance at `maintenance_level` (0.975), over
    `days`. `gamma` for Cornish-Fisher; `paths` and `seed` for simulations.
    """
    plain = ShortfallTerms()
    name = fields.text("method", plain.method.value)
    if name not in {each.value for each in Method}:
        known = ", ".join(each.value for each in Method)
        raise MarginError(f"no method {name!r}", field="method", remedy=f"Known: {known}.")
    terms = ShortfallTerms(
        Method(name),
        fields.number("level", plain.level),
        fields.number("maintenance_level", plain.maintenance_level),
        fields.integer("days", plain.days),
        fields.number("decay", plain.decay),
        fields.integer("paths", plain.paths),
        fields.integer("seed", plain.seed),
        fields.number("degrees_of_freedom") if fields.has("degrees_of_freedom") else None,
    )
    history = ReturnHistory(
        fields.array("returns") if fields.has("returns") else None,
        fields.array("covariance") if fields.has("covariance") else None,
    )
    exposures = Exposures(
        fields.array("exposures"),
        fields.number("equity"),
        fields.array("gamma") if fields.has("gamma") else None,
    )
    needed = ExpectedShortfallMargin().requirement(exposures, history, terms)
    lines = (
        f"{name}, {terms.days} day(s): VaR {needed.parts['var']:,.2f} and "
        f"Expected Shortfall {needed.initial:,.2f} at {terms.level:.2%}",
        "Expected Shortfall is the mean of the worst share 1 − level of outcomes",
    )
    return ModelAnswer(needed, "money of the exposures", terms.provenance, lines)


def dynamic_margin(fields: Fields) -> ModelAnswer:
    """`notional`, `equity`, one asset's daily `returns`, and fields of `DynamicTerms`; a measure whose field
    is absent is off."""
    terms = dynamic.DynamicTerms(
        fields.number("factor", normal.normal_shortfall_factor(0.99)),
        fields.number("days", 1.0),
        fields.number("decay", volatility.RISKMETRICS_LAMBDA),
        fields.number("buffer", 0.0),
        fields.number("replenish", 0.005),
        fields.number("stress_weight", 0.0),
        fields.number("stress_sigma", 0.0),
        fields.integer("floor_days", 0),
        fields.number("maintenance_share", 0.75),
    )
    returns = fields.array("returns")
    position = dynamic.DynamicPosition(fields.number("notional"), fields.number("equity"))
    needed = dynamic.DynamicMargin().requirement(position, returns, terms)
    lines = [
        f"rate {needed.parts['rate']:.4%}, "
        f"without anti-procyclical measures {needed.parts['rate_without_measures']:.4%}"
    ]
    if len(returns) > 5:
        bare = dynamic.base_rates(np.sqrt(volatility.ewma_variances(returns, terms.decay)), terms)
        rises = [
            float(dynamic.largest_rise(each, 5)) for each in (dynamic.margin_rates(returns, terms), bare)
        ]
        lines.append(f"largest five-day rise {rises[0]:.1%}, without measures {rises[1]:.1%}")
    return ModelAnswer(needed, "money of the notional", terms.provenance, tuple(lines))


ENTRIES = (
    Entry(
        "expected-shortfall", "Expected Shortfall over the liquidation period, by method", expected_shortfall
    ),
    Entry("dynamic", "margin that follows volatility, with anti-procyclical measures", dynamic_margin),
)
