"""The interface of every margin model: positions + market state + parameters → requirement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Exact models use int or Fraction; array models float64 arrays, one element per account.
Amount = int | Fraction | float | Array

P = TypeVar("P", contravariant=True)
M = TypeVar("M", contravariant=True)
K = TypeVar("K", contravariant=True)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a set of parameters comes from: which version of it, as of when, published where."""

    version: str
    dated: date
    source: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an account must hold and what it has, in the account's settlement unit.

    `initial`      margin needed to open a position or to withdraw
    `maintenance`  margin needed to keep the positions; below it anyone may liquidate
    `equity`       what counts against both
    `parts`        named contributions that explain the numbers (model-specific keys)
    """

    initial: Amount
    maintenance: Amount
    equity: Amount
    parts: Mapping[str, Amount] = field(default_factory=dict)

    @property
    def health(self) -> float | Array:
        """Equity over maintenance as float64; +inf where nothing is required. Exact models divide exactly."""
        if isinstance(self.equity, int | Fraction) and isinstance(self.maintenance, int | Fraction):
            return float(Fraction(self.equity) / self.maintenance) if self.maintenance > 0 else float("inf")
        equity = np.asarray(self.equity, dtype=np.float64)
        maintenance = np.asarray(self.maintenance, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(maintenance > 0, equity / maintenance, np.inf)
        return float(ratio) if ratio.ndim == 0 else ratio


class MarginModel(Protocol[P, M, K]):
    """A margin model: pure, versioned, with its parameters as a dated, validated value object."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def requirement(self, positions: P, market: M, parameters: K) -> Requirement: ...
