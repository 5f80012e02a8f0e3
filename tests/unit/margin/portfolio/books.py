"""Random and hand-made books of accounts for the portfolio margin tests."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from keeper.margin.interface import Provenance
from keeper.margin.portfolio.accounts import Accounts, CollateralLegs, OptionLegs, PerpLegs, SpotLegs
from keeper.margin.portfolio.market import MarketData
from keeper.margin.portfolio.parameters import Concentration, DprmParameters

MARKET = MarketData(("BTC", "ETH"), np.array([60_000.0, 3_000.0]))


def parameters(**changes: Any) -> DprmParameters:
    """Two underlyings, 15 % and 20 % ranges."""
    base: dict[str, Any] = {
        "provenance": Provenance("test", date(2024, 6, 1), "test"),
        "price_range": np.array([0.15, 0.20]),
        "haircut": np.array([0.10, 0.15]),
    }
    return DprmParameters(**(base | changes))


def depths(**changes: Any) -> Concentration:
    """Depths small enough for the random books to feel."""
    base: dict[str, Any] = {
        "delta_depth": np.array([2e5, 1e5]),
        "gamma_depth": np.array([5e4, 2e4]),
        "vega_depth": np.array([2e3, 1e3]),
    }
    return Concentration(**(base | changes))


def random_book(seed: int, accounts: int, legs: int = 6, market: MarketData = MARKET) -> Accounts:
    """Options, perps, spot and collateral, `legs` options an account on average."""
    random = np.random.default_rng(seed)
    count = accounts * legs
    spots = market.spot

    def held(rows: int) -> dict[str, Any]:
        return {
            "account": random.integers(0, accounts, rows),
            "underlying": random.integers(0, len(market.names), rows),
        }

    options, perps, spot, collateral = held(count), held(2 * accounts), held(accounts), held(accounts)
    size = 30_000.0 / spots
    return Accounts.of(
        random.uniform(-5_000, 40_000, accounts),
        OptionLegs(
            **options,
            quantity=random.normal(0, 1, count) * size[options["underlying"]],
            strike=spots[options["underlying"]] * random.choice([0.7, 0.9, 1.0, 1.1, 1.4], count),
            years=random.choice([3, 14, 30, 90, 365], count) / 365,
            volatility=random.uniform(0.3, 1.2, count),
            is_call=random.random(count) < 0.5,
            forward_ratio=random.uniform(0.99, 1.03, count),
            discount=random.uniform(0.95, 1.0, count),
        ),
        PerpLegs(
            **perps,
            quantity=random.normal(0, 1, 2 * accounts) * size[perps["underlying"]],
            entry=spots[perps["underlying"]] * random.uniform(0.8, 1.2, 2 * accounts),
        ),
        SpotLegs(**spot, quantity=random.uniform(0, 1, accounts) * size[spot["underlying"]]),
        CollateralLegs(
            **collateral, quantity=random.uniform(0, 1, accounts) * size[collateral["underlying"]]
        ),
    )


def options(rows: list[tuple[int, int, float, float, float, float, bool]]) -> OptionLegs:
    """Legs from (account, underlying, quantity, strike, years, volatility, is_call)."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    ones = np.ones(len(rows))
    return OptionLegs(
        account=columns[0],
        underlying=columns[1],
        quantity=columns[2],
        strike=columns[3],
        years=columns[4],
        volatility=columns[5],
        is_call=columns[6],
        forward_ratio=ones,
        discount=ones,
    )


def perps(rows: list[tuple[int, int, float, float]]) -> PerpLegs:
    """Legs from (account, underlying, quantity, entry)."""
    account, underlying, quantity, entry = (np.array(column) for column in zip(*rows, strict=True))
    return PerpLegs(account, underlying, quantity, entry)


def merged(one: Accounts, other: Accounts) -> Accounts:
    """Every account of `one` together with the same account of `other`."""
    tables = {}
    for name in ("options", "perps", "spot", "collateral"):
        first, second = getattr(one, name), getattr(other, name)
        tables[name] = type(first)(
            **{
                field: np.concatenate([getattr(first, field), getattr(second, field)])
                for field in first.__dataclass_fields__
            }
        )
    return Accounts.of(one.cash + other.cash, **tables)
