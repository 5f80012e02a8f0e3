"""`keeper margin MODEL FILE`: one portfolio under one margin model."""

from __future__ import annotations

import json
import re
from datetime import date
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import typer

from keeper.cli.output import console, print_json, print_table
from keeper.errors import ConfigError
from keeper.margin.catalogue import ENTRIES, ModelAnswer, answer
from keeper.margin.interface import Amount

DEEPEST = 100


def margin(model: str, file: Path | None, *, as_json: bool) -> None:
    """Print the requirement and what drives it; exit 1 when an account's equity is below maintenance."""
    if file is None:
        raise ConfigError(
            "names no portfolio file",
            where="keeper margin",
            remedy="keeper margin MODEL FILE; `keeper margin --list` shows the models",
        )
    result = answer(model, _document(file))
    if as_json:
        print_json(as_object(model, result))
    else:
        _print(model, result)
    if result.breached:
        raise typer.Exit(1)


def models(*, as_json: bool) -> None:
    if as_json:
        print_json([{"model": e.name, "summary": e.summary} for e in ENTRIES.values()])
        return
    print_table("margin models", ["model", "what it is"], [[e.name, e.summary] for e in ENTRIES.values()])


def _document(file: Path) -> object:
    try:
        text = file.read_text("utf-8-sig")
        if _depth(text) > DEEPEST:
            raise ConfigError("is nested too deeply to be a portfolio", where=str(file))
        document: object = json.loads(text, object_pairs_hook=_once)
    except FileNotFoundError:
        raise ConfigError("there is no such portfolio file", where=str(file)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(file)) from None
    except ValueError as error:
        raise ConfigError(f"is not valid JSON: {error}", where=str(file)) from None
    return document


def _depth(text: str) -> int:
    """The depth of nested brackets. The parser itself recurses, and might crash the process."""
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", text))
    return max(accumulate(steps), default=0)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object's fields; ValueError where one is given twice, as JSON would keep only the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(n for n in names if names.count(n) > 1)!r} is given twice")
    return found


def as_object(model: str, result: ModelAnswer) -> dict[str, Any]:
    """Exact integers and fractions as text, floats as numbers, arrays as lists."""
    requirement = result.requirement
    return {
        "model": model,
        "unit": result.unit,
        "provenance": {k: str(v) for k, v in _fields(result.provenance).items()},
        "initial": _plain(requirement.initial),
        "maintenance": _plain(requirement.maintenance),
        "equity": _plain(requirement.equity),
        "health": _plain(requirement.health),
        "breached": result.breached,
        "parts": {name: _plain(value) for name, value in requirement.parts.items()},
        "explanation": list(result.explanation),
    }


def _fields(value: object) -> dict[str, object]:
    names = getattr(value, "__dataclass_fields__", {})
    found = {name: getattr(value, name) for name in names}
    # parameters that the file itself gives are of no day
    return {name: each for name, each in found.items() if each != date.min}


def _plain(value: Amount | list[Any]) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, int | Fraction) and not isinstance(value, bool):
        return str(value)
    return value if np.isfinite(value) else None


def _print(model: str, result: ModelAnswer) -> None:
    requirement = result.requirement
    rows = [
        ["initial margin", _show(requirement.initial)],
        ["maintenance margin", _show(requirement.maintenance)],
        ["equity", _show(requirement.equity)],
        ["health", _show(requirement.health)],
        *([f"  {name}", _show(value)] for name, value in requirement.parts.items()),
    ]
    print_table(f"{model}, in {result.unit}", ["", "amount"], rows)
    for line in result.explanation:
        console.print(line, markup=False)
    source = ", ".join(str(v) for v in _fields(result.provenance).values())
    console.print(f"parameters: {source}", style="dim", markup=False)


def _show(value: Amount | list[Any]) -> str:
    if isinstance(value, np.ndarray | np.generic):
        return _show(value.tolist())
    if isinstance(value, list):
        return ("; " if any(isinstance(v, list) for v in value) else ", ").join(map(_show, value))
    if isinstance(value, Fraction) and value.denominator != 1:
        return f"{float(value):,.6f}"
    if isinstance(value, float):
        return f"{value:,.6f}" if np.isfinite(value) else "no requirement"
    return f"{int(value):,}"
