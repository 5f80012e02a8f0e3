"""Deribit standard margin of single option positions, in units of the underlying coin.

Source: Deribit, Linear and inverse options, margin requirements. Short call IM = max(0.15 − OTM/S, 0.1) +
mark, MM = 0.075 + mark; short put MM = max(0.075, 0.075·mark) + mark, IM = max(call's formula, MM). A long
option is paid in full and needs no margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.checks import positive
from keeper.margin.interface import Array, Provenance, Requirement
from keeper.margin.options.checks import finite_array, non_negative_array, positive_array, traceable
from keeper.margin.options.venue_rules import out_of_the_money


@dataclass(frozen=True, slots=True)
class StandardParameters:
    """Rates as fractions of the underlying: initial cap and floor by moneyness, maintenance of calls and
    puts."""

    provenance: Provenance
    maximum_initial: float = 0.15
    minimum_initial: float = 0.10
    call_maintenance: float = 0.075
    put_maintenance: float = 0.075

    def __post_init__(self) -> None:
        traceable(self.provenance, "deribit")
        for name in ("maximum_initial", "minimum_initial", "call_maintenance", "put_maintenance"):
            positive(getattr(self, name), f"deribit.{name}")
        if self.minimum_initial > self.maximum_initial:
            raise MarginError(
                "the floor is above the cap", field="deribit.minimum_initial", remedy="Swap the two rates"
            )


STANDARD_TABLES = MappingProxyType(
    {
        "inverse-2026-11": StandardParameters(
            Provenance("inverse-2026-11", date(2026, 11, 22), "Deribit, margin requirements of options")
        ),
    }
)


def standard_parameters(version: str) -> StandardParameters:
    """The published table called `version`; `MarginError` for an unknown one."""
    if version not in STANDARD_TABLES:
        raise MarginError(
            f"unknown table {version!r}", field="version", remedy=f"Use one of {sorted(STANDARD_TABLES)}"
        )
    return STANDARD_TABLES[version]


@dataclass(frozen=True, slots=True)
class OptionPositions:
    """Option positions as arrays that broadcast: `mark` in coin per contract, `amount` < 0 short."""

    strike: ArrayLike
    is_call: ArrayLike
    amount: ArrayLike
    mark: ArrayLike

    def __post_init__(self) -> None:
        calls = finite_array(self.is_call, "is_call")
        if ((calls != 0) & (calls != 1)).any():
            raise MarginError("is neither true nor false", field="is_call", remedy="Give true for a call")
        shape = np.shape(self.strike)
        for name in ("is_call", "amount", "mark"):
            found = np.shape(getattr(self, name))
            try:
                shape = np.broadcast_shapes(shape, found)
            except ValueError:
                raise MarginError(
                    f"has shape {found} beside {shape}", field=name, remedy="Give one entry a position"
                ) from None


@dataclass(frozen=True, slots=True)
class StandardMargin:
    """Deribit standard margin as a model; the market state is the underlying's mark price(s)."""

    name: str = "deribit-standard"
    version: str = "inverse"

    def requirement(
        self, positions: OptionPositions, market: ArrayLike, parameters: StandardParameters
    ) -> Requirement:
        """Sums over the positions, in coin; equity is their mark-to-market (add the cash balance to it)."""
        initial, maintenance = margins(positions, market, parameters)
        value = finite_array(positions.amount, "amount") * non_negative_array(positions.mark, "mark")
        return Requirement(
            initial=float(initial.sum()),
            maintenance=float(maintenance.sum()),
            equity=float(value.sum()),
            parts={"initial_by_position": initial, "maintenance_by_position": maintenance},
        )


def margins(
    positions: OptionPositions, underlying: ArrayLike, parameters: StandardParameters
) -> tuple[Array, Array]:
    """Initial and maintenance margin of each position, in coin (≥ 0, 0 for long ones); inputs broadcast."""
    s = positive_array(underlying, "underlying")
    k = positive_array(positions.strike, "strike")
    mark = non_negative_array(positions.mark, "mark")
    short = np.maximum(-finite_array(positions.amount, "amount"), 0.0)
    is_call = np.asarray(positions.is_call, dtype=bool)
    opened = np.maximum(
        parameters.maximum_initial - out_of_the_money(s, k, is_call) / s, parameters.minimum_initial
    )
    opened = opened + mark
    call = parameters.call_maintenance + mark
    put = parameters.put_maintenance * np.maximum(1.0, mark) + mark
    maintenance = np.where(is_call, call, put)
    initial = np.where(is_call, opened, np.maximum(opened, put))
    return np.asarray(initial * short), np.asarray(maintenance * short)
