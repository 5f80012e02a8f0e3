"""Perpetual exchanges, by the vectors' model names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.margin.vector_files import Vector

MODELS: dict[str, Callable[[Vector], Mapping[str, Any]]] = {}
