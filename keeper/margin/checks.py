"""Checks of inputs: each raises MarginError that names the field; none replaces a bad value."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keeper.errors import MarginError

Scalar = int | float | Fraction
N = TypeVar("N", bound=Scalar)


def finite(value: ArrayLike, field: str) -> NDArray[np.float64]:
    """`value` as a float64 array; MarginError if anything in it is NaN, infinite or no number."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MarginError(f"{value!r} is not a number", field=field) from error
    if not np.isfinite(array).all():
        raise MarginError("contains NaN or infinity", field=field, remedy="Fill or drop the gap first.")
    return array


def positive_array(value: ArrayLike, field: str) -> NDArray[np.float64]:
    """As `finite`; MarginError also if anything in it is zero or below."""
    array = finite(value, field)
    if (array <= 0).any():
        raise MarginError("must be above zero", field=field)
    return array


def number(value: N, field: str) -> N:
    """`value` itself; MarginError if it is NaN, infinite, a bool or no number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction | np.floating | np.integer):
        raise MarginError(f"{value!r} is not a number", field=field)
    if not isinstance(value, int | Fraction) and not np.isfinite(value):
        raise MarginError(f"is {value}", field=field)
    return value


def positive(value: N, field: str) -> N:
    """`value` if it is above zero, else MarginError."""
    if number(value, field) <= 0:
        raise MarginError(f"is {value}, must be above zero", field=field)
    return value


def not_negative(value: N, field: str) -> N:
    """`value` if it is zero or above, else MarginError."""
    if number(value, field) < 0:
        raise MarginError(f"is {value}, must not be negative", field=field)
    return value


def within(value: N, low: Scalar, high: Scalar, field: str) -> N:
    """`value` if low ≤ value ≤ high, else MarginError."""
    checked: Scalar = number(value, field)
    if checked < low or checked > high:
        raise MarginError(f"is {value}, must be between {low} and {high}", field=field)
    return value


def integer(value: object, field: str) -> int:
    """`value` if it is a Python integer, else MarginError: exact models take no floats."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise MarginError(
            f"{value!r} is not an integer", field=field, remedy="Exact models take token units."
        )
    return value


def natural(value: object, field: str) -> int:
    """`value` if it is a Python integer of zero or above, else MarginError."""
    checked = integer(value, field)
    if checked < 0:
        raise MarginError(f"is {checked}, must not be negative", field=field)
    return checked


def increasing(values: Sequence[Scalar], field: str) -> None:
    """MarginError unless every value is above the one before it."""
    for index, (one, other) in enumerate(pairwise(values), start=1):
        if not one < other:
            raise MarginError(f"entry {index} ({other}) is not above the one before ({one})", field=field)
