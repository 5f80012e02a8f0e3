"""VaR, Expected Shortfall, volatility and backtests, by the vectors' model names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keeper.margin.risk import backtest, normal, tail, volatility
from tests.unit.margin.vector_files import Vector

Outputs = Mapping[str, Any]


def delta_normal(vector: Vector) -> Outputs:
    inputs = vector.inputs
    sigma = inputs["value"] * inputs["sigma_daily"]
    return {
        "var_1d": normal.scaled_var(sigma, inputs["z"], 1),
        f"var_{inputs['days']}d": normal.scaled_var(sigma, inputs["z"], inputs["days"]),
    }


def delta_normal_portfolio(vector: Vector) -> Outputs:
    """Exposures of one unit each: the σ's are in money already."""
    inputs = vector.inputs
    sigmas = [inputs["sigma1"], inputs["sigma2"]]
    covariance = normal.correlated(sigmas, [[1, inputs["rho"]], [inputs["rho"], 1]])
    sigma = normal.portfolio_sigma([1.0, 1.0], covariance)
    days = inputs.get("days", 1)
    together = normal.scaled_var(sigma, inputs["z"], days)
    alone = normal.scaled_var(sigmas, inputs["z"], days)
    return {
        "sigma": sigma,
        "var": together,
        f"var_{days}d": together,
        "diversification_benefit": alone.sum() - together,
    }


def historical(vector: Vector) -> Outputs:
    """Only the worst losses are published: the rest may be anything no worse than the least of them."""
    worst, count, level = vector.inputs["top_losses_kusd"], vector.inputs["n"], vector.inputs["level"]
    losses = np.concatenate((worst, np.full(count - len(worst), min(worst))))
    var = tail.value_at_risk(losses, level)
    return {
        "var_fifth_worst": var,
        "var": var,
        "es_choice_D": tail.mean_beyond_var(losses, level),
        "es": tail.expected_shortfall(losses, level),
    }


def ewma(vector: Vector) -> Outputs:
    inputs = vector.inputs
    before = inputs["var_prev"] if "var_prev" in inputs else inputs["sigma_prev"] ** 2
    variance = volatility.ewma_update(before, inputs["u"], inputs["lam"])
    return {"variance": variance, "sigma": np.sqrt(variance)}


def _figures(ratio: backtest.LikelihoodRatio) -> Outputs:
    return {"LR": ratio.statistic, "p_value": ratio.p_value, "p": ratio.p_value}


def kupiec(vector: Vector) -> Outputs:
    inputs = vector.inputs
    return _figures(backtest.kupiec(inputs["N"], inputs["x"], inputs["p"]))


def christoffersen(vector: Vector) -> Outputs:
    inputs = vector.inputs
    pairs = backtest.Transitions(*(inputs[key] for key in ("N00", "N01", "N10", "N11")))
    return _figures(backtest.christoffersen(pairs))


def conditional_coverage(vector: Vector) -> Outputs:
    coverage = backtest.LikelihoodRatio(vector.inputs["LRpof"], 1)
    independence = backtest.LikelihoodRatio(vector.inputs["LRcci"], 1)
    return _figures(backtest.conditional_coverage(coverage, independence))


def traffic_light(vector: Vector) -> Outputs:
    inputs = vector.inputs
    light = backtest.traffic_light(inputs["N"], inputs["x"], inputs["p"])
    return {"probability": light.probability, "type_I": light.type_one, "zone": light.zone}


def basel(vector: Vector) -> Outputs:
    counts = vector.inputs["exceptions"]
    return {
        "multiplier": [backtest.basel_multiplier(each) for each in counts],
        "zone": [backtest.basel_zone(each) for each in counts],
    }


MODELS: dict[str, Callable[[Vector], Outputs]] = {
    "Delta-normal VaR 99% 10d": delta_normal,
    "Delta-normal portfolio VaR": delta_normal_portfolio,
    "Historical simulation 99% VaR / ES, 500 scenarios": historical,
    "EWMA volatility": ewma,
    "EWMA volatility λ=0.94": ewma,
    "Kupiec POF": kupiec,
    "Kupiec POF = 0 when x/T = p": kupiec,
    "Kupiec POF (PUBLISHED VALUE IS WRONG)": kupiec,
    "Christoffersen independence": christoffersen,
    "Christoffersen conditional coverage": conditional_coverage,
    "Basel traffic light": traffic_light,
    "Basel zones 250 d, 99 %": basel,
}
