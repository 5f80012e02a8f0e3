"""An allowance that no node tells is not taken for none: it stands in the books."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from sqlmodel import select

from keeper.chain import pool as pool_module
from keeper.execution.allowances import take_back
from keeper.execution.limits import Limits
from keeper.execution.sender import Sender
from keeper.store.database import open_store
from keeper.store.rows import insert_values
from keeper.store.tables.journal import StandingAllowance
from tests.support.scripted_node import Say, Script, healthy, scripted_pool
from tests.unit.execution.test_busy_nodes import HEAD, US

pytestmark = pytest.mark.unit

TOKEN, SPENDER = "0x" + "aa" * 20, "0x" + "bb" * 20
NONE = "0x" + "00" * 32


def _answers(result: Any) -> Script:
    return lambda method, params: Say(result) if method == "eth_call" else healthy(method, params)


@pytest.mark.parametrize(
    ("first", "second", "forgotten"),
    [("0x", "0x", False), ("0x00", "0x", False), ("0x", NONE, True), (NONE, NONE, True)],
)
def test_only_a_number_takes_it_out_of_the_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str, forgotten: bool
) -> None:
    monkeypatch.setattr(pool_module, "PAUSES", (0.0, 0.0))
    pool, _ = scripted_pool(_answers(first), _answers(second))
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    with store.session() as session:
        where = {"chain": "x", "owner": US, "token": TOKEN, "spender": SPENDER}
        insert_values(session, StandingAllowance, **where, since_block=1)
    take_back(Sender(pool, store, Limits(10**12), US, *cast(Any, (None, None, None))), HEAD)
    with store.session() as session:
        assert (session.exec(select(StandingAllowance)).first() is None) == forgotten
