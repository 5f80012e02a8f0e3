"""When a computed figure agrees with a published one."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.unit.margin.vector_files import Vector, agrees, disagreements
from tests.unit.margin.vector_models import MODELS, PROPERTIES

pytestmark = pytest.mark.unit

TRUNCATED = {"rule": "trunc toward zero to whole dollars"}


@pytest.mark.parametrize(
    ("got", "expected", "tolerance", "same"),
    [
        (10**30 + 1, "1000000000000000000000000000001", {}, True),
        (10**30, "1000000000000000000000000000001", {"abs": 0}, False),
        (Fraction(5, 3), "1.66666666666666666667", {"abs": 1e-15}, True),
        (0.1 + 0.2, 0.3, {"abs": 0}, False),
        (0.1 + 0.2, 0.3, {"abs": 1e-15}, True),
        (1.0000001, 1, {"rel": 1e-6, "abs": 1e-12}, True),
        (Decimal("0.01"), 0.01, {"abs": 0}, True),
        (np.float64(2.5), 2.5, {"abs": 0}, True),
        (float("nan"), 1.0, {"abs": 100}, False),
        (True, True, {}, True),
        (0, True, {}, False),
        ("green", "green", {"abs": 1e-5}, True),
        ("red", "green", {"abs": 1e-5}, False),
        ([1, 2], [1, 2], {}, True),
        ([1, 2], [1, 2, 3], {}, False),
        (np.array([1.0, 2.0]), [1.0, 2.0], {"abs": 0}, True),
        ({"a": 1, "b": 2}, {"a": 1}, {}, True),
        (-12.9, -12, TRUNCATED, True),
        (12.9, 13, TRUNCATED, False),
        (12.99999999999, 13, TRUNCATED, True),
    ],
)
def test_agreement(got: Any, expected: Any, tolerance: dict[str, Any], same: bool) -> None:
    assert agrees(got, expected, tolerance) is same


def vector(**expected: Any) -> Vector:
    return Vector("file/name_01", "source", "model", {}, expected, {"abs": 0}, "")


def test_a_figure_not_computed_disagrees_and_one_not_published_is_ignored() -> None:
    assert disagreements(vector(value=1), {}) == ["value: not computed"]
    assert not disagreements(vector(value=None), {"value": 3, "other": 4})
    assert vector().name == "name_01"


def test_no_model_is_both_computed_and_only_claimed() -> None:
    assert set(PROPERTIES) <= set(MODELS)
