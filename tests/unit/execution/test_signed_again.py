"""The same transaction signed once more, after a reorganisation, is another one in the journal."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import pytest

from keeper.chain.fees import Fees
from keeper.execution.limits import Limits
from keeper.execution.rehearsal import Action
from keeper.execution.sender import Sender
from keeper.execution.signatures import sign
from keeper.store.database import open_store
from keeper.store.tables.states import TransactionState
from tests.support.scripted_node import healthy, scripted_pool
from tests.unit.execution.test_busy_nodes import HEAD, US

pytestmark = pytest.mark.unit


class Deterministic:
    """As keys sign: equal fields, equal bytes."""

    def sign(self, fields: dict[str, Any]) -> tuple[str, str]:
        raw = json.dumps(fields, sort_keys=True).encode()
        return "0x" + raw.hex(), "0x" + hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize("tip", [1, None])
@pytest.mark.parametrize("again", [1, 5])
def test_a_cancellation_that_a_reorganisation_undid_can_be_made_again(
    tmp_path: Path, tip: int | None, again: int
) -> None:
    pool, _ = scripted_pool(healthy)
    store = open_store(f"sqlite:///{tmp_path}/keeper.db")
    rest = cast(Any, (Deterministic(), None, None))
    sender = Sender(pool, store, Limits(10**12), US, *rest)
    signed: list[tuple[str, int]] = []
    with store.session() as session:
        last = None
        for _ in range(again + 1):
            cancel = Action("cancel", US, "0x")
            last = sign(sender, session, HEAD, cancel, 90_000, Fees(10, tip), 7, replaces=last)
            signed.append((last.hash, last.gas_limit))
            session.flush()
        assert last is not None and last.state == TransactionState.SIGNED
    assert len({digest for digest, _ in signed}) == again + 1
    assert all(89_990 <= gas <= 90_000 for _, gas in signed)
