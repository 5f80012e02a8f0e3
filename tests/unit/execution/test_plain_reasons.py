"""What a stranger's contract says of itself is cut and cleaned before anybody keeps or shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_abi.abi import encode
from sqlmodel import select

from keeper.execution.rehearsal import MOST_REASON, reason
from keeper.store.database import open_store
from keeper.store.tables.alerts import Alert

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

    def row(number: int) -> Alert:
        once, title = f"a\x00{number}", "t\x00"
        return Alert(dedup_key=once, title=title, kind="k", severity="info", market="", body="", fields="{}")

    with store.session() as session:
        session.add(row(0))
    with store.session() as session:
        session.add_all(row(number) for number in range(1, 6))
    with store.session() as session:
        kept = {(each.dedup_key, each.title) for each in session.exec(select(Alert)).all()}
    assert kept == {(f"a{number}", "t") for number in range(6)}, "of one row, and of many at once"
    store.close()
