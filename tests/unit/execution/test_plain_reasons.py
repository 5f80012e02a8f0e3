"""What a stranger's contract says of itself is cut and cleaned before anybody keeps or shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_abi.abi import encode
from sqlmodel import select

from keeper.execution.rehearsal import MOST_REASON, reason
from keeper.store.database import open_store
from keeper.store.tables import Alert

pytestmark = pytest.mark.unit

HOSTILE = "\x00\x1b[31m" + "A\u202e" * 100_000


def test_a_reverts_words_are_short_and_printable() -> None:
    data = "0x08c379a0" + encode(["string"], [HOSTILE]).hex()
    for result in ({"returnData": data}, {"error": {"message": HOSTILE}}, {"error": {"data": data}}):
        said = reason(result, "")
        assert said and len(said) <= MOST_REASON and said.isprintable()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_store_is_given_a_nul(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """PostgreSQL would refuse the whole statement."""
    url = f"sqlite:///{tmp_path}/k.db" if kind == "sqlite" else request.getfixturevalue("postgresql")
    store = open_store(url)
    with store.session() as session:
        session.add(
            Alert(once="a\x00b", kind="k", severity="info", market="", title="t\x00", body="", fields="{}")
        )
    with store.session() as session:
        assert [(row.once, row.title) for row in session.exec(select(Alert)).all()] == [("ab", "t")]
    store.close()
