"""What is wrong with a configuration, in words: where, what, and the key that was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

Place = tuple[int | str, ...]
NONE: Mapping[Place, Place] = MappingProxyType({})


def explain(error: ValidationError, settings: type[BaseModel], written: Mapping[Place, Place] = NONE) -> str:
    """Every mistake with its place, one after another; the nearest known key beside an unknown one. `written`
    are the places as the user named them, where those are not the model's."""
    lines = []
    for problem in error.errors():
        place = _place(_as_written(problem["loc"], written))
        message = _in_words(problem["type"], problem.get("ctx", {}), problem["msg"])
        if problem["type"] == "extra_forbidden":
            message = f"unknown key{_nearest(problem['loc'], settings)}"
        elif problem["type"] == "missing":
            message = "is required"
        else:
            shown = problem.get("input")
            if isinstance(shown, str | int | bool | Decimal) and not _may_be_secret(problem["loc"], shown):
                message = f"{message} (got {str(shown)[:80]!r})"
        lines.append(f"{place}: {message}" if place else message)
    return "; ".join(lines)


def _as_written(location: Place, written: Mapping[Place, Place]) -> Place:
    for end in range(len(location), 0, -1):
        if location[:end] in written:
            return (*written[location[:end]], *location[end:])
    return location


def _place(location: Place) -> str:
    """protect[0].steps[1].asset: lists by index, as elsewhere."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in location]
    return "".join(parts).removeprefix(".")


# Where addresses of services stand, which hold keys; a mistyped one need not look like one any more.
_ADDRESSES = frozenset(
    {
        "url",
        "rpc",
        "ws",
        "head_ws",
        "updates",
        "mempool_ws",
        "relay",
        "alerts",
        "store",
        "web3signer",
        "password_file",
        "signer",
    }
)
_LOOKS_LIKE_ONE = re.compile(r"[/:@?=\\]")


def _may_be_secret(location: tuple[int | str, ...], shown: object) -> bool:
    """Whether a wrong value may be, or hold, an address with a key: then it is not repeated."""
    if any(part in _ADDRESSES for part in location[-3:]):
        return isinstance(shown, str)
    return isinstance(shown, str) and bool(_LOOKS_LIKE_ONE.search(shown))


def _key(part: str) -> str:
    """A key as it may be shown: one that is an address (a value written in its place) is not."""
    return "…" if _LOOKS_LIKE_ONE.search(part) else part


_DIGITS = re.compile(r"\^0x\[0-9a-fA-F\]\{(\d+)\}\$")
_KINDS = {
    "int": "a whole number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text in quotes",
    "list": "a list: write it in [ ]",
    "model": "a section",
    "dict": "a section",
    "path": "a path in quotes",
}


def _in_words(kind: str, given: Mapping[str, Any], said: str) -> str:
    """What a value must be, for who never heard of the library that checks it."""
    if kind == "string_pattern_mismatch" and (digits := _DIGITS.fullmatch(str(given.get("pattern")))):
        return f"write 0x and {digits[1]} hexadecimal digits"
    bounds = {
        "greater_than": ("greater than", "gt"),
        "greater_than_equal": ("at least", "ge"),
        "less_than": ("less than", "lt"),
        "less_than_equal": ("at most", "le"),
    }
    if kind in bounds:
        words, key = bounds[kind]
        return f"must be {words} {given.get(key)}"
    if kind == "literal_error":
        return f"must be one of {given.get('expected')}".replace(" or ", ", ")
    if kind == "too_short":
        return f"must name at least {given.get('min_length')}"
    if kind == "too_long":
        return f"must name at most {given.get('max_length')}"
    of = kind.removesuffix("_type").removesuffix("_parsing")
    if of != kind and (must := _KINDS.get(of)):
        return f"must be {must}"
    return said.removeprefix("Value error, ")


def _nearest(location: tuple[int | str, ...], settings: type[BaseModel]) -> str:
    model: Any = settings
    for part in location[:-1]:
        model = _step(model, part)
        if model is None:
            return ""
    names = list(getattr(model, "model_fields", {}))
    close = difflib.get_close_matches(str(location[-1]), names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(names))}"


def _step(model: Any, part: int | str) -> Any:
    """The model that a key of `model` holds, or `model` itself below a table or list."""
    fields = getattr(model, "model_fields", None)
    if fields is None or part not in fields:
        return model
    for candidate in _leaves(fields[part].annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _leaves(annotation: Any) -> list[Any]:
    arguments = getattr(annotation, "__args__", ())
    return [annotation] if not arguments else [leaf for a in arguments for leaf in _leaves(a)]
