"""Amounts in the exported books."""

from __future__ import annotations

import pytest

from keeper.cli.books import _signed

pytestmark = pytest.mark.unit


def test_what_came_has_a_plus() -> None:
    assert (_signed(5, 1), _signed(-5, 1), _signed(0, 1)) == ("+0.5", "-0.5", "0")
