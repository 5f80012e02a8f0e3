"""The guard of the unit tests works."""

from __future__ import annotations

import socket

import pytest

pytestmark = pytest.mark.unit


def test_a_unit_test_that_connects_fails_with_the_address() -> None:
    with socket.socket() as wanted, pytest.raises(AssertionError, match=r"127\.0\.0\.1"):
        wanted.connect(("127.0.0.1", 9))
