"""Options every test run understands."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors-dir",
        type=Path,
        default=Path(__file__).parent / "vectors",
        help="directory of margin vectors (*.json) to run instead of tests/vectors",
    )
