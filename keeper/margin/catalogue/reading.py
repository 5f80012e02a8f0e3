"""Reader of portfolios written as JSON: errors name each missing, extra or unreadable field by its path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import isfinite

import numpy as np

from keeper.errors import MarginError
from keeper.margin.checks import natural
from keeper.margin.interface import Array

# Of a number's text: an exponent beyond three digits would be spelt out before it could be refused.
_LONGEST = 200
_EXPONENT = re.compile(r"[eE][+-]?0*(\d+)$")


class Fields:
    """One JSON object at `path`. Values are taken by name and kind; `finish` refuses names never taken.

    Integers and fractions may be written as text, which keeps them exact: "1000000000000000000", "0.86",
    "1e18". A default of None makes a field required. MarginError where a field is missing or of another kind.
    """

    def __init__(self, raw: object, path: str = "") -> None:
        if not isinstance(raw, Mapping):
            raise MarginError("must be an object", field=path or "the file")
        self._raw = raw
        self._path = path
        self._taken: set[str] = set()

    def whole(self) -> Mapping[str, object]:
        """The object as it is, for a reader that checks all of it itself (`keeper.margin.reading`)."""
        self._taken.update(self._raw)
        return self._raw

    def has(self, name: str) -> bool:
        return name in self._raw

    def name_of(self, name: str) -> str:
        """The field's path, for messages."""
        return f"{self._path}.{name}" if self._path else name

    def _take(self, name: str) -> object:
        if name not in self._raw:
            raise MarginError("is missing", field=self.name_of(name))
        self._taken.add(name)
        return self._raw[name]

    def fraction(self, name: str, default: Fraction | int | None = None) -> Fraction:
        """An exact rational; a JSON number is taken by its decimal form."""
        if default is not None and not self.has(name):
            return Fraction(default)
        return _fraction(self._take(name), self.name_of(name))

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        if default is not None and not self.has(name):
            return default
        value = _fraction(self._take(name), self.name_of(name))
        if value.denominator != 1:
            raise MarginError(f"{value} is not a whole number", field=self.name_of(name))
        return value.numerator

    def natural(self, name: str, default: int | None = None) -> int:
        """A whole number of zero or above."""
        return natural(self.integer(name, default), self.name_of(name))

    def number(self, name: str, default: float | None = None) -> float:
        """A finite float."""
        if default is not None and not self.has(name):
            return default
        return float(_fraction(self._take(name), self.name_of(name)))

    def text(self, name: str, default: str | None = None) -> str:
        if default is not None and not self.has(name):
            return default
        value = self._take(name)
        if not isinstance(value, str):
            raise MarginError(f"{value!r} is not text", field=self.name_of(name))
        return value

    def flag(self, name: str, default: bool | None = None) -> bool:
        if default is not None and not self.has(name):
            return default
        value = self._take(name)
        if not isinstance(value, bool):
            raise MarginError(f"{value!r} is neither true nor false", field=self.name_of(name))
        return value

    def child(self, name: str) -> Fields:
        """A nested object."""
        return Fields(self._take(name), self.name_of(name))

    def children(self, name: str) -> list[Fields]:
        """A list of objects."""
        value = self._take(name)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise MarginError("must be a list", field=self.name_of(name))
        return [Fields(each, f"{self.name_of(name)}[{place}]") for place, each in enumerate(value)]

    def array(self, name: str) -> Array:
        """Numbers in nested lists of equal length, as float64."""
        value = self._take(name)
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise MarginError("must be numbers in lists of equal length", field=self.name_of(name)) from error
        if array.ndim == 0:
            raise MarginError("must be a list", field=self.name_of(name))
        return array

    def finish(self) -> None:
        """MarginError for fields never taken: a misspelt one must not be ignored."""
        unknown = sorted(set(self._raw) - self._taken)
        if unknown:
            known = ", ".join(sorted(self._taken))
            raise MarginError(
                "is not a field of this model", field=self.name_of(unknown[0]), remedy=f"Known: {known}."
            )


def _fraction(value: object, field: str) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise MarginError(f"{value!r} is not a number", field=field)
    if isinstance(value, float) and not isfinite(value):
        raise MarginError(f"is {value}", field=field)
    text = str(value).strip()
    exponent = _EXPONENT.search(text)
    if len(text) > _LONGEST or (exponent and len(exponent[1]) > 3):
        raise _too_large(text, field)
    try:
        number = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise MarginError(f"{value!r} is not a number", field=field) from error
    if abs(number) >= 2**256:
        raise _too_large(text, field)
    return number


def _too_large(text: str, field: str) -> MarginError:
    shown = text if len(text) <= 40 else f"{text[:40]}…"
    return MarginError(f"{shown} is beyond 256 bits", field=field, remedy="No chain and no venue has it.")
