"""Unit tests open no connection: what needs a server is an integration test."""

from __future__ import annotations

import socket
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that connects to anything by the network fails with the address it wanted."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise AssertionError(f"a unit test opens no connection, and wanted one to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
