"""Whom a contract's profit goes to is an address before anything else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper.cli.contracts import deploy
from keeper.errors import ConfigError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("owner", "words"),
    [
        ("0x12", "is no address"),
        ("vitalik.eth", "is no address"),
        ("0x5FdBc7BD9565e2D643b0c8B4582A8eD14509954B", "has a wrong checksum"),
    ],
)
def test_an_owner_that_is_no_address_is_said(tmp_path: Path, owner: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        deploy(tmp_path / "keeper.toml", "liquidator", owner=owner, live=True, as_json=False)
    assert caught.value.where == "--owner" and owner in caught.value.what
