"""Margin inputs from plain JSON values: frozen dataclasses built by their own type hints, strictly.

Unknown or missing keys, wrong types and NaN raise MarginError with the path of the field; nothing is guessed.
The range of a value is checked by the dataclass itself when it is made.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike

from keeper.errors import MarginError
from keeper.margin.interface import Provenance
from keeper.margin.options.checks import finite_array

T = TypeVar("T")

# Parameters that a file spells out itself.
GIVEN = Provenance("given", date.min, "the portfolio file")


def build(kind: type[T], raw: object, field: str) -> T:
    """An object of dataclass `kind` from a JSON object; `field` is the path that errors name."""
    given = mapping(raw, field)
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind) if f.init}  # type: ignore[arg-type]
    for key in given:
        if key not in known:
            raise not_a_field(f"{field}.{key}", known)
    arguments: dict[str, Any] = {}
    for name, column in known.items():
        if name in given:
            arguments[name] = value(hints[name], given[name], f"{field}.{name}")
        elif hints[name] is Provenance and (given or column.default is MISSING):
            arguments[name] = GIVEN
        elif column.default is MISSING and column.default_factory is MISSING:
            raise MarginError("is missing", field=f"{field}.{name}", remedy="Give it")
    return kind(**arguments)


def mapping(raw: object, field: str) -> Mapping[str, object]:
    """`raw` if it is a JSON object, else MarginError."""
    if not isinstance(raw, Mapping):
        raise MarginError(f"{raw!r} is not an object", field=field, remedy="Give {…}")
    return raw


def items(raw: object, field: str) -> Sequence[object]:
    """`raw` if it is a JSON list, else MarginError."""
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        raise MarginError(f"{raw!r} is not a list", field=field, remedy="Give […]")
    return raw


def value(kind: Any, raw: object, field: str) -> Any:
    """`raw` converted to the type hint `kind`; MarginError where it does not fit. Integers may be text."""
    if kind == ArrayLike:
        return finite_array(raw, field)  # type: ignore[arg-type]
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        chosen = [option for option in get_args(kind) if option is not type(None)]
        return None if raw is None else value(chosen[0], raw, field)
    if origin is tuple:
        return _tuple(get_args(kind), raw, field)
    if origin is np.ndarray:
        return finite_array(raw, field)  # type: ignore[arg-type]
    if is_dataclass(kind):
        return build(kind, raw, field)  # type: ignore[arg-type]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind, raw, field)
    return _scalar(kind, raw, field)


def not_a_field(field: str, known: Iterable[str]) -> MarginError:
    """The error for an unknown key, with the known ones: a misspelt key must not be ignored."""
    return MarginError(
        "is not a field of this model", field=field, remedy=f"Known: {', '.join(sorted(known))}."
    )


def _scalar(kind: Any, raw: object, field: str) -> Any:
    is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
    if kind is float and is_number and math.isfinite(raw):  # type: ignore[arg-type]
        return float(raw)  # type: ignore[arg-type]
    # integers beyond 2**53 travel as strings
    if kind is int and isinstance(raw, int | str) and not isinstance(raw, bool):
        text = str(raw)
        if text.removeprefix("-").isdecimal():
            return int(text)
    if kind in {bool, str} and isinstance(raw, kind):
        return raw
    if kind is date and isinstance(raw, str):
        try:
            return date.fromisoformat(raw)
        except ValueError as error:
            raise MarginError(f"{raw!r} is no date", field=field, remedy="Write YYYY-MM-DD") from error
    name = getattr(kind, "__name__", str(kind))
    raise MarginError(f"{raw!r} is not of kind {name}", field=field, remedy=f"Give a {name}")


def _tuple(kinds: tuple[Any, ...], raw: object, field: str) -> tuple[Any, ...]:
    entries = items(raw, field)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(value(kinds[0], entry, f"{field}[{i}]") for i, entry in enumerate(entries))
    if len(entries) != len(kinds):
        raise MarginError(f"{len(entries)} entries, not {len(kinds)}", field=field, remedy="Give them all")
    return tuple(value(k, e, f"{field}[{i}]") for i, (k, e) in enumerate(zip(kinds, entries, strict=True)))


def _enum(kind: type[Enum], raw: object, field: str) -> Enum:
    try:
        return kind(raw)
    except ValueError as error:
        allowed = ", ".join(str(member.value) for member in kind)
        raise MarginError(f"{raw!r} is unknown", field=field, remedy=f"Use one of {allowed}") from error
