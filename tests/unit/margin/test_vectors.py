"""Every published figure under tests/vectors (or --vectors-dir), recomputed at its own tolerance."""

from __future__ import annotations

import pytest

from tests.unit.margin.vector_files import Vector, agrees, disagreements, read_vectors
from tests.unit.margin.vector_models import MODELS, PROPERTIES

pytestmark = pytest.mark.unit

WRONG_ON_PURPOSE = "PUBLISHED VALUE IS WRONG"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" in metafunc.fixturenames:
        directory = metafunc.config.getoption("--vectors-dir")
        vectors = read_vectors(directory)
        if not vectors:
            raise pytest.UsageError(f"no vectors (*.json) in {directory}")
        metafunc.parametrize("vector", vectors, ids=[vector.id for vector in vectors])


def test_vector(vector: Vector) -> None:
    if not vector.expected:
        assert vector.model in PROPERTIES, f"no property check for {vector.model!r}: {vector.note}"
        PROPERTIES[vector.model](vector)
        return
    assert vector.model in MODELS, f"no function for model {vector.model!r}"
    got = MODELS[vector.model](vector)
    if WRONG_ON_PURPOSE in vector.model:
        for key, published in vector.expected.items():
            kind, figure = key.split("_", 1)
            same = agrees(got[figure], published, vector.tolerance)
            assert same is (kind == "correct"), f"{key}: {published} against {got[figure]}"
        return
    assert not disagreements(vector, got)
