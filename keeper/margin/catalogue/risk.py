"""Risk models in the catalogue: margin as Expected Shortfall over the liquidation period."""

from __future__ import annotations

from datetime import date

import numpy as np

from keeper.errors import MarginError
from keeper.margin.catalogue.entry import Answer, Entry
from keeper.margin.catalogue.reading import Fields
from keeper.margin.checks import finite
from keeper.margin.interface import Array, Provenance, Requirement
from keeper.margin.risk import delta_gamma, dynamic, normal, simulation, tail, volatility

METHODS = ("historical", "filtered-historical", "delta-normal", "cornish-fisher", "monte-carlo")
CONVENTION = Provenance("1", date(2026, 1, 1), "keeper.margin.risk.tail: mean of the worst share")


def expected_shortfall(fields: Fields) -> Answer:
    """`exposures` (money a unit of return), `equity`, `method`, and the daily `returns` or `covariance`.

    Initial margin is the shortfall at `level` (0.99), maintenance at `maintenance_level` (0.975), over
    `days`. `gamma` for Cornish-Fisher; `paths` and `seed` for simulations.
    """
    method = fields.text("method", "filtered-historical")
    if method not in METHODS:
        raise MarginError(f"no method {method!r}", field="method", remedy=f"Known: {', '.join(METHODS)}.")
    exposures = finite(fields.array("exposures"), "exposures")
    level, keep = fields.number("level", 0.99), fields.number("maintenance_level", 0.975)
    days = fields.integer("days", 1)
    if method == "delta-normal":
        covariance = _covariance(fields)
        shortfalls = [
            float(normal.delta_normal_es(exposures, covariance, each, days)) for each in (level, keep)
        ]
        var = float(normal.delta_normal_var(exposures, covariance, level, days))
    elif method == "cornish-fisher":
        moments = delta_gamma.loss_moments(exposures, fields.array("gamma"), _covariance(fields), days)
        shortfalls = [delta_gamma.cornish_fisher_es(moments, each) for each in (level, keep)]
        var = delta_gamma.cornish_fisher_var(moments, level)
    else:
        losses = simulation.losses_of(exposures, _shocks(fields, method, days))
        shortfalls = [float(tail.expected_shortfall(losses, each)) for each in (level, keep)]
        var = float(tail.value_at_risk(losses, level))
    initial, maintenance = (max(0.0, each) for each in shortfalls)
    needed = Requirement(
        initial, maintenance, fields.number("equity"), {"var": var, "gross": float(np.abs(exposures).sum())}
    )
    lines = (
        f"{method}, {days} day(s): VaR {var:,.2f} and Expected Shortfall {shortfalls[0]:,.2f} at {level:.2%}",
        "Expected Shortfall is the mean of the worst share 1 − level of outcomes",
    )
    return Answer(needed, "money of the exposures", CONVENTION, lines)


def _covariance(fields: Fields) -> Array:
    if fields.has("covariance"):
        return fields.array("covariance")
    return volatility.ewma_covariance(
        fields.array("returns"), fields.number("decay", volatility.RISKMETRICS_LAMBDA)
    )


def _shocks(fields: Fields, method: str, days: int) -> Array:
    if method == "monte-carlo":
        return simulation.monte_carlo_shocks(
            _covariance(fields), fields.integer("paths", 100_000), days, fields.integer("seed", 0)
        )
    returns = fields.array("returns")
    if method == "historical":
        return simulation.historical_shocks(returns, days)
    paths = fields.integer("paths", 0) or (None if days == 1 else 100_000)
    decay = fields.number("decay", volatility.RISKMETRICS_LAMBDA)
    return simulation.filtered_shocks(returns, days, paths, fields.integer("seed", 0), decay)


def dynamic_margin(fields: Fields) -> Answer:
    """`notional`, `equity` and one asset's daily `returns`; measures by their numbers, off where absent.

    The initial rate is that of the day after the last return; maintenance is `maintenance_share` of it.
    """
    terms = dynamic.DynamicTerms(
        fields.number("factor", normal.normal_shortfall_factor(0.99)),
        fields.number("days", 1.0),
        fields.number("decay", volatility.RISKMETRICS_LAMBDA),
        fields.number("buffer", 0.0),
        fields.number("replenish", 0.005),
        fields.number("stress_weight", 0.0),
        fields.number("stress_sigma", 0.0),
        fields.integer("floor_days", 0),
    )
    returns = finite(fields.array("returns"), "returns")
    if returns.ndim != 1:
        raise MarginError("must be one asset's series", field="returns")
    share = fields.number("maintenance_share", 0.75)
    if not 0 < share <= 1:
        raise MarginError(f"is {share}, must be above 0 and at most 1", field="maintenance_share")
    rates = dynamic.margin_rates(returns, terms)
    bare = dynamic.base_rates(np.sqrt(volatility.ewma_variances(returns, terms.decay)), terms)
    notional = abs(fields.number("notional"))
    rate = float(rates[-1])
    needed = Requirement(
        rate * notional,
        share * rate * notional,
        fields.number("equity"),
        {"rate": rate, "rate_without_measures": float(bare[-1])},
    )
    lines = [f"rate {rate:.4%}, without anti-procyclical measures {float(bare[-1]):.4%}"]
    if len(rates) > 5:
        rises = [float(dynamic.largest_rise(each, 5)) for each in (rates, bare)]
        lines.append(f"largest five-day rise {rises[0]:.1%}, without measures {rises[1]:.1%}")
    return Answer(needed, "money of the notional", terms.provenance, tuple(lines))


ENTRIES = (
    Entry(
        "expected-shortfall", "Expected Shortfall over the liquidation period, by method", expected_shortfall
    ),
    Entry("dynamic", "margin that follows volatility, with anti-procyclical measures", dynamic_margin),
)
