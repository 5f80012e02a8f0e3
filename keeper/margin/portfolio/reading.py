"""A portfolio margin problem from one JSON object: market, parameters and accounts, underlyings by name.

{"market": {"BTC": 60000.0},
 "parameters": {"provenance": {"version": "…", "dated": "2026-01-31", "source": "…"},
                "price_range": {"BTC": 0.15},
                "haircut": {"BTC": 0.1}, "stresses": [{"name": "…", "moves": {"BTC": -0.4}}], …},
 "accounts": [{"cash": 1000.0, "options": [{"underlying": "BTC", "quantity": -1.0, …}], "perps": […]}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from keeper.errors import MarginError
from keeper.margin.interface import Array, Provenance
from keeper.margin.options.checks import finite_array
from keeper.margin.portfolio.accounts import Accounts, CollateralLegs, OptionLegs, PerpLegs, SpotLegs
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import Concentration, DprmParameters
from keeper.margin.portfolio.scenarios import Stress, VolatilityShock, standard_grid, stresses
from keeper.margin.reading import GIVEN, build, items, mapping, not_a_field, value

_Legs = TypeVar("_Legs", OptionLegs, PerpLegs, SpotLegs, CollateralLegs)


@dataclass(frozen=True, slots=True)
class NamedOption:
    """One option leg of a file."""

    underlying: str
    quantity: float
    strike: float
    years: float
    volatility: float
    is_call: bool
    forward_ratio: float = 1.0
    discount: float = 1.0


@dataclass(frozen=True, slots=True)
class NamedPerp:
    """One perpetual leg of a file."""

    underlying: str
    quantity: float
    entry: float


@dataclass(frozen=True, slots=True)
class NamedHolding:
    """One spot or collateral leg of a file."""

    underlying: str
    quantity: float


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """One account of a file."""

    cash: float
    options: tuple[NamedOption, ...] = ()
    perps: tuple[NamedPerp, ...] = ()
    spot: tuple[NamedHolding, ...] = ()
    collateral: tuple[NamedHolding, ...] = ()


def _some(raw: object) -> Sequence[object]:
    accounts = items(raw, "accounts")
    if not accounts:
        raise MarginError("holds no account", field="accounts", remedy="Give at least one")
    return accounts


def read(raw: object) -> tuple[Accounts, MarketData, DprmParameters]:
    """Accounts, market and parameters from a file's JSON object; `MarginError` names the field at fault."""
    given = mapping(raw, "file")
    parts = ("market", "parameters", "accounts")
    for key in parts:
        if key not in given:
            raise MarginError("is missing", field=key, remedy="Give market, parameters and accounts")
    for key in given:
        if key not in parts:
            raise not_a_field(key, parts)
    market = _market(given["market"])
    parameters = _parameters(given["parameters"], market)
    accounts = [
        build(NamedAccount, entry, f"accounts[{i}]") for i, entry in enumerate(_some(given["accounts"]))
    ]
    book = Accounts.of(
        np.array([account.cash for account in accounts], dtype=np.float64),
        _legs(OptionLegs, "options", accounts, market),
        _legs(PerpLegs, "perps", accounts, market),
        _legs(SpotLegs, "spot", accounts, market),
        _legs(CollateralLegs, "collateral", accounts, market),
    )
    return book, market, parameters


def _legs(kind: type[_Legs], table: str, accounts: list[NamedAccount], market: MarketData) -> _Legs:
    rows = [
        (i, row, leg) for i, account in enumerate(accounts) for row, leg in enumerate(getattr(account, table))
    ]
    for i, row, leg in rows:
        if leg.underlying not in market.names:
            raise MarginError(
                f"underlying {leg.underlying!r} is not listed",
                field=f"accounts[{i}].{table}[{row}].underlying",
                remedy=f"List it in the market, or use one of {market.names}",
            )
    columns: dict[str, Any] = {
        "account": np.array([i for i, _, _ in rows], dtype=np.int64),
        "underlying": np.array([market.index(leg.underlying) for _, _, leg in rows], dtype=np.int64),
    }
    for column in fields(kind):
        if column.name not in columns:
            columns[column.name] = np.array([getattr(leg, column.name) for _, _, leg in rows])
    return kind(**columns)


def _market(raw: object) -> MarketData:
    prices = mapping(raw, "market")
    return MarketData(
        tuple(prices), np.array([value(float, price, f"market.{n}") for n, price in prices.items()])
    )


def _parameters(raw: object, market: MarketData) -> DprmParameters:
    given = dict(mapping(raw, "parameters"))
    known = {f.name for f in fields(DprmParameters)} - {"grid", "joint"} | {
        "price_steps",
        "tails",
        "stresses",
    }
    for key in given:
        if key not in known:
            raise not_a_field(f"parameters.{key}", known)
    made: dict[str, Any] = {
        "provenance": GIVEN,
        "price_range": _by_name(given.pop("price_range", None), market, "parameters.price_range"),
        "haircut": _by_name(given.pop("haircut", None), market, "parameters.haircut"),
    }
    steps = value(int, given.pop("price_steps", 5), "parameters.price_steps")
    tails = items(given.pop("tails", ()), "parameters.tails")
    pairs = [value(tuple[float, float], pair, f"parameters.tails[{i}]") for i, pair in enumerate(tails)]
    made["grid"] = standard_grid(steps, dict(pairs))
    chosen = items(given.pop("stresses", ()), "parameters.stresses")
    made["joint"] = stresses(
        market.names, [_stress(s, f"parameters.stresses[{i}]") for i, s in enumerate(chosen)]
    )
    if "provenance" in given:
        made["provenance"] = build(Provenance, given.pop("provenance"), "parameters.provenance")
    if "volatility_shock" in given:
        shock = given.pop("volatility_shock")
        made["volatility_shock"] = build(VolatilityShock, shock, "parameters.volatility_shock")
    if "correlation" in given:
        made["correlation"] = finite_array(given.pop("correlation"), "parameters.correlation")  # type: ignore[arg-type]
    if "concentration" in given:
        made["concentration"] = _concentration(given.pop("concentration"), market)
    rates = {name: value(float, rate, f"parameters.{name}") for name, rate in given.items()}
    return DprmParameters(**made, **rates)


def _concentration(raw: object, market: MarketData) -> Concentration:
    given = dict(mapping(raw, "parameters.concentration"))
    for name in ("delta_depth", "gamma_depth", "vega_depth"):
        depth = _by_name(given.get(name), market, f"parameters.concentration.{name}")
        given[name] = depth.tolist()
    return build(Concentration, given, "parameters.concentration")


def _stress(raw: object, field: str) -> Stress:
    given = dict(mapping(raw, field))
    moves = mapping(given.pop("moves", {}), f"{field}.moves")
    rest = build(_StressFactors, given, field)
    return Stress(
        rest.name,
        {name: value(float, move, f"{field}.moves.{name}") for name, move in moves.items()},
        rest.otherwise,
        rest.volatility,
        rest.weight,
    )


@dataclass(frozen=True, slots=True)
class _StressFactors:
    name: str
    otherwise: float = 0.0
    volatility: float = 1.0
    weight: float = 1.0


def _by_name(raw: object, market: MarketData, field: str) -> Array:
    """One number per underlying, in the market's order; MarginError where one is missing or unlisted."""
    given: Mapping[str, object] = mapping(raw, field)
    wrong = set(given) ^ set(market.names)
    if wrong:
        raise MarginError(
            f"{sorted(wrong)} are unlisted or missing", field=field, remedy=f"Give one each of {market.names}"
        )
    return np.array([value(float, given[name], f"{field}.{name}") for name in market.names])
