"""An entry of the catalogue, and the answer of a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keeper.margin.catalogue.reading import Fields
from keeper.margin.interface import Provenance, Requirement


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A requirement in `unit`, the parameters' provenance, and lines that say what drives the numbers."""

    requirement: Requirement
    unit: str
    provenance: Provenance
    explanation: tuple[str, ...] = ()

    @property
    def breached(self) -> bool:
        """Whether equity is below maintenance for any account; compared exactly where the model is exact."""
        equity, maintenance = self.requirement.equity, self.requirement.maintenance
        return bool(np.any(equity < maintenance))  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Entry:
    """A model by `name`: one line that describes it, and the function from a JSON object to its answer."""

    name: str
    summary: str
    answer: Callable[[Fields], ModelAnswer]
