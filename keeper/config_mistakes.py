"""What is wrong with a configuration, in words: where, what, and the key that was meant."""

from __future__ import annotations

import difflib
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, settings: type[BaseModel]) -> str:
    """Every mistake with its place, one after another; the nearest known key beside an unknown one."""
    lines = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"unknown key{_nearest(problem['loc'], settings)}"
        elif problem["type"] == "missing":
            message = "is required"
        else:
            shown = problem.get("input")
            if isinstance(shown, str | int | bool | Decimal) and "url" not in place:
                message = f"{message} (got {str(shown)[:80]!r})"
        lines.append(f"{place}: {message}" if place else message)
    return "; ".join(lines)


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
