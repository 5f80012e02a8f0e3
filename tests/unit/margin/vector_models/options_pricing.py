"""Black-Scholes(-Merton) and Black-76 figures, by the vectors' model names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from keeper.margin.options import black76, black_scholes, greeks
from tests.unit.margin.vector_files import Vector

Figures = Mapping[str, Any]


def _merton_greeks(vector: Vector) -> Figures:
    i = vector.inputs
    got = greeks.black_scholes(i["S"], i["K"], i["t"], i["vol"], i["type"] == "call", i["r"], i.get("q", 0.0))
    return {
        "price": float(got.price),
        "delta": float(got.delta),
        "gamma": float(got.gamma),
        "vega": float(got.vega),
        "theta": float(got.theta),
        "theta_per_day": float(got.theta_per_day),
        "rho": float(got.rho),
        "divrho": float(got.dividend_rho),
        "elasticity": float(got.elasticity),
    }


def _merton_price(vector: Vector) -> Figures:
    i = vector.inputs
    value = black_scholes.price(
        i["S"], i["K"], i["t"], i["vol"], i["type"] == "call", i["r"], i.get("q", 0.0)
    )
    return {"price": float(value)}


def _black76_price(vector: Vector) -> Figures:
    i = vector.inputs
    call = i["type"] == "call"
    return {"price": float(black76.price(i["F"], i["K"], i["t"], i["vol"], call, math.exp(-i["r"] * i["t"])))}


def _by_kind(call: greeks.Greeks, put: greeks.Greeks) -> Figures:
    """Both conventions the sources use: raw annual figures, and per day and per 1 %."""
    figures: dict[str, float] = {"gamma": float(call.gamma)}
    for name, got in (("c", call), ("p", put)):
        figures[f"delta_{name}"] = float(got.delta)
        figures[f"theta_{name}"] = float(got.theta_per_day)
        figures[f"theta_{name}_annual"] = float(got.theta)
        figures[f"rho_{name}"] = figures[f"rho_{name}_1pct"] = float(got.rho) / 100.0
    figures["vega"] = figures["vega_1pct"] = float(call.vega) / 100.0
    return figures


def _black76_greeks(vector: Vector) -> Figures:
    i = vector.inputs
    call, put = (greeks.black76(i["F"], i["K"], i["t"], i["vol"], kind, i["r"]) for kind in (True, False))
    return _by_kind(call, put)


def _scholes_greeks(vector: Vector) -> Figures:
    call, put = _scholes_pair(vector)
    return _by_kind(call, put)


def _scholes_pair(vector: Vector) -> tuple[greeks.Greeks, greeks.Greeks]:
    i = vector.inputs
    call, put = (
        greeks.black_scholes(i["S"], i["K"], i["t"], i["vol"], kind, i["r"]) for kind in (True, False)
    )
    return call, put


def _scholes_table(vector: Vector) -> Figures:
    figures: dict[str, float] = {}
    for name, got in zip(("call", "put"), _scholes_pair(vector), strict=True):
        figures[f"bs_{name}"] = float(got.price)
        figures[f"delta_{name}"] = float(got.delta)
        figures[f"theta_{name}"] = float(got.theta)
        figures[f"rho_{name}"] = float(got.rho)
        figures["gamma"], figures["vega"] = float(got.gamma), float(got.vega)
    return figures


_MERTON = (
    "delta", "gamma", "vega", "theta", "theta_per_day", "rho", "divrho", "elasticity",
)  # fmt: skip
_PAIRED = ("delta_c", "delta_p", "gamma", "vega", "theta_c", "theta_p", "rho_c", "rho_p")
_SCHOLES = (
    "delta_c", "delta_p", "gamma", "vega_1pct",
    "theta_c_annual", "theta_p_annual", "rho_c_1pct", "rho_p_1pct",
)  # fmt: skip

MODELS: dict[str, Callable[[Vector], Figures]] = {
    "Black–Scholes–Merton European": _merton_price,
    "Black–Scholes": _merton_price,
    "Black-76": _black76_price,
    "Black–Scholes price & greeks (annual theta, raw vega/rho)": _scholes_table,
    **{f"Black–Scholes–Merton {name}": _merton_greeks for name in _MERTON},
    **{f"Black-76 greek {name}": _black76_greeks for name in _PAIRED},
    **{f"Black–Scholes greek {name}": _scholes_greeks for name in _SCHOLES},
}
