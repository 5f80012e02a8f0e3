"""Parameter tables of Deribit's segregated portfolio margin (S:PM), by coin and date.

Source: the `model_params` that Deribit's API method private/pme/simulate reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np

from keeper.errors import MarginError
from keeper.margin.checks import not_negative, within
from keeper.margin.interface import Array, Provenance
from keeper.margin.options.checks import traceable


@dataclass(frozen=True, slots=True)
class PortfolioParameters:
    """The model parameters of one currency pair, as the API reports them.

    `price_range` is split into `buckets` steps per side, each under volatility up, same and down;
    `extended_moves` are under volatility up only, scaled by price range over move and dampened by `dampener`
    USD per further range. `delta_threshold` in USD, `increment` per coin beyond it.
    """

    provenance: Provenance
    price_range: float = 0.16
    buckets: int = 4
    volatility_up: float = 0.50
    volatility_down: float = 0.25
    short_power: float = 0.30
    long_power: float = 0.13
    minimum_up_volatility: float = 0.50
    extended_moves: tuple[float, ...] = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
    extended_factor: float = 1.0
    dampener: float = 100_000.0
    annualised_move: float = 0.075
    minimum_move: float = 0.01
    delta_threshold: float = 20_000_000.0
    increment: float = 0.00005
    maximum_delta_shock: float = 0.10
    maintenance_factor: float = 0.8
    profit_offset: float = 0.0

    def __post_init__(self) -> None:
        traceable(self.provenance, "deribit_pm")
        within(self.price_range, 0.0, 0.99, "deribit_pm.price_range")
        if self.buckets < 1:
            raise MarginError("there is no bucket", field="deribit_pm.buckets", remedy="Give at least 1")
        for name in (
            "volatility_up", "volatility_down", "short_power", "long_power", "minimum_up_volatility",
            "extended_factor", "dampener", "annualised_move", "minimum_move", "delta_threshold", "increment",
            "maximum_delta_shock",
        ):  # fmt: skip
            not_negative(getattr(self, name), f"deribit_pm.{name}")
        within(self.maintenance_factor, 0.0, 1.0, "deribit_pm.maintenance_factor")
        within(self.profit_offset, 0.0, 1.0, "deribit_pm.profit_offset")
        if any(move <= -1.0 or move == 0.0 for move in self.extended_moves):
            raise MarginError(
                "an extended move is 0 or ≤ −100 %", field="deribit_pm.extended_moves", remedy="Correct it"
            )

    @property
    def standard_moves(self) -> Array:
        """Price moves of the standard table, lowest first, shape (2·buckets + 1,)."""
        return self.price_range * np.arange(-self.buckets, self.buckets + 1) / self.buckets


_API = "Deribit API, model_params of private/pme/simulate"

PORTFOLIO_TABLES = MappingProxyType(
    {
        "btc-2024-06": PortfolioParameters(Provenance("btc-2024-06", date(2024, 6, 17), _API)),
        "eth-2026-02": PortfolioParameters(
            Provenance("eth-2026-02", date(2026, 2, 15), _API),
            price_range=0.18,
            volatility_up=0.40,
            dampener=200_000.0,
            annualised_move=0.05,
            minimum_move=0.005,
            increment=0.000004,
            profit_offset=0.6,
        ),
    }
)


def portfolio_parameters(version: str) -> PortfolioParameters:
    """The published table called `version`; `MarginError` for an unknown one."""
    if version not in PORTFOLIO_TABLES:
        raise MarginError(
            f"unknown table {version!r}", field="version", remedy=f"Use one of {sorted(PORTFOLIO_TABLES)}"
        )
    return PORTFOLIO_TABLES[version]
