"""Option pricing and option margins, by the vectors' model names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.margin.vector_files import Vector
from tests.unit.margin.vector_models import options_derive, options_pricing, options_venues

MODELS: dict[str, Callable[[Vector], Mapping[str, Any]]] = {
    **options_pricing.MODELS,
    **options_derive.MODELS,
    **options_venues.MODELS,
}
