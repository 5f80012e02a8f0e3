"""Checks of arrays, which name the entry at fault, and of parameter objects."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keeper.errors import MarginError
from keeper.margin.interface import Array, Provenance

Mask = NDArray[np.bool_]


def finite_array(values: ArrayLike, field: str) -> Array:
    """`values` as float64, all finite; `MarginError` with the first bad position otherwise."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MarginError(f"not a number: {values!r}", field=field, remedy="Give numbers") from error
    finite = np.isfinite(array)
    if not finite.all():
        raise _rejected(array, ~finite, "is not finite", field)
    return array


def non_negative_array(values: ArrayLike, field: str) -> Array:
    """`values` as float64, finite and ≥ 0."""
    array = finite_array(values, field)
    negative = array < 0
    if negative.any():
        raise _rejected(array, negative, "is negative", field)
    return array


def positive_array(values: ArrayLike, field: str) -> Array:
    """`values` as float64, finite and > 0."""
    array = finite_array(values, field)
    below = array <= 0
    if below.any():
        raise _rejected(array, below, "is not above zero", field)
    return array


def traceable(provenance: Provenance, field: str) -> None:
    """`MarginError` unless the provenance of parameters names a version and a date."""
    known = isinstance(provenance, Provenance) and isinstance(provenance.dated, date)
    if not known or not provenance.version:
        raise MarginError(
            "it names no version or no date",
            field=f"{field}.provenance",
            remedy="Give version, date and source",
        )


def _rejected(array: Array, bad: Mask, why: str, field: str) -> MarginError:
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    where = f"{field}[{', '.join(map(str, index))}]" if index else field
    return MarginError(f"{float(array[index])!r} {why}", field=where, remedy="Correct or leave out the entry")
