"""One registry from a vector's `model` name to the function that computes it.

Each file beside this one owns some models and exports

- `MODELS: dict[str, ModelFunction]`: takes a whole `Vector` (its `inputs`; the id's last part where a
  source uses one name for several functions) and returns the figures by the names `expected` uses. Numbers
  may be int, float, Fraction, Decimal or numpy scalars, sequences lists or tuples. Adapters here only
  translate names and units: the arithmetic is in `keeper.margin`.
- optionally `PROPERTIES: dict[str, PropertyCheck]`: for vectors with an empty `expected`, asserts what
  their note claims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from tests.unit.margin.vector_files import Vector
from tests.unit.margin.vector_models import aave, funding, lending, options, perps, risk, schedules

ModelFunction = Callable[[Vector], Mapping[str, Any]]
PropertyCheck = Callable[[Vector], None]

_FILES: tuple[ModuleType, ...] = (aave, funding, lending, options, perps, risk, schedules)


def _merged(attribute: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for file in _FILES:
        for model, function in getattr(file, attribute, {}).items():
            if model in merged:
                raise ValueError(f"{file.__name__} registers {model!r} a second time")
            merged[model] = function
    return merged


MODELS: dict[str, ModelFunction] = _merged("MODELS")
PROPERTIES: dict[str, PropertyCheck] = _merged("PROPERTIES")
