"""What a vector is, how a directory of them is read, when a computed figure agrees with a published one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

FLOAT_SLACK = Fraction(1, 10**9)


@dataclass(frozen=True, slots=True)
class Vector:
    """One published figure: `model` names the function, `inputs` feed it, `expected` is what it must give.

    `tolerance` holds `abs` and/or `rel` (either suffices), or a `rule` in words; no entry means exact.
    """

    id: str
    source: str
    model: str
    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    tolerance: Mapping[str, Any]
    note: str

    @property
    def name(self) -> str:
        """The part of the id after its file's prefix."""
        return self.id.split("/", 1)[-1]


def read_vectors(directory: Path) -> list[Vector]:
    """Every vector of every JSON file in `directory`, in the files' order."""
    return [
        Vector(
            raw["id"],
            raw.get("source", ""),
            raw["model"],
            raw["inputs"],
            raw["expected"],
            raw.get("tolerance") or {},
            raw.get("note") or "",
        )
        for path in sorted(directory.glob("*.json"))
        for raw in json.loads(path.read_text(encoding="utf-8"))
    ]


def disagreements(vector: Vector, got: Mapping[str, Any]) -> list[str]:
    """The figures in which `got` differs from what `vector` expects, in words; empty if all agree.

    A figure published as null has no value to compare. Figures computed beyond the published ones are
    ignored; a published one that was not computed is a disagreement.
    """
    found = []
    for key, expected in vector.expected.items():
        if expected is None:
            continue
        if key not in got:
            found.append(f"{key}: not computed")
        elif not agrees(got[key], expected, vector.tolerance):
            found.append(
                f"{key}: computed {got[key]!r}, published {expected!r}, tolerance {vector.tolerance}"
            )
    return found


def agrees(got: Any, expected: Any, tolerance: Mapping[str, Any]) -> bool:
    """Whether a figure (number, text, or nested sequence or mapping of them) is the published one."""
    if isinstance(expected, bool):
        return bool(got) is expected
    if isinstance(expected, Mapping):
        return all(key in got and agrees(got[key], item, tolerance) for key, item in expected.items())
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return len(got) == len(expected) and all(
            agrees(one, other, tolerance) for one, other in zip(got, expected, strict=True)
        )
    target = exact(expected)
    if target is None:
        return bool(got == expected)
    value = exact(got)
    return value is not None and number_agrees(value, target, tolerance, whole=isinstance(expected, int))


def number_agrees(value: Fraction, target: Fraction, tolerance: Mapping[str, Any], *, whole: bool) -> bool:
    """Whether `value` is within `tolerance` of `target`, compared as exact rationals."""
    if "rule" in tolerance:
        slack = FLOAT_SLACK * max(Fraction(1), abs(target))
        if not whole:
            return abs(value - target) <= slack
        # published after truncation towards zero to whole units; a float may stand just below its integer
        return target in {math.trunc(value - slack), math.trunc(value), math.trunc(value + slack)}
    limits = [Fraction(0)]
    if "abs" in tolerance:
        limits.append(Fraction(str(tolerance["abs"])))
    if "rel" in tolerance:
        limits.append(Fraction(str(tolerance["rel"])) * abs(target))
    return abs(value - target) <= max(limits)


def exact(figure: Any) -> Fraction | None:
    """The rational a figure denotes (a float by its shortest decimal form); None for text and non-finite."""
    if isinstance(figure, Fraction):
        return figure
    try:
        return Fraction(str(figure).strip())
    except (ValueError, ZeroDivisionError):
        return None
