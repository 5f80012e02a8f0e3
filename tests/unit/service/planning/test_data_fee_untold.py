"""A chain whose contract ceases to say what data costs goes on with what it said last."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.chain.calls import Answer
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.errors import UnreachableError
from keeper.service.market_troubles import is_everyones
from keeper.service.planning import data_fees
from tests.support.scripted_node import healthy, scripted_pool
from tests.unit.chain.test_block_time import head

pytestmark = pytest.mark.unit

HEAD = head(100, 1000)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What the chain's contract says the data costs."""
    told: list[int | None] = [None]

    def run(pool: NodePool, at: object, calls: list[Any]) -> list[Answer]:
        data = b"" if told[0] is None else told[0].to_bytes(32, "big")
        return [Answer(told[0] is not None, data) for _ in calls[:1]] + [
            Answer(False, b"") for _ in calls[1:]
        ]

    monkeypatch.setattr(data_fees, "run", run)
    return told


def chain(kind: str | None) -> Chain:
    return Chain.model_validate({"chain_id": 1, "rpc": ["http://node"], "data_fee": kind})


@pytest.mark.parametrize("kind", ["op-stack", "scroll", None])
def test_what_was_told_last_counts_while_nothing_is(kind: str | None, says: list[int | None]) -> None:
    pool = scripted_pool(healthy)[0]
    for told, counted in ((7, 7), (None, 7), (9, 9), (None, 9)):
        says[0] = told
        assert data_fees.wei(chain(kind), pool, HEAD) == counted


@pytest.mark.parametrize("kind", ["op-stack", "scroll"])
def test_without_any_only_what_is_planned_waits(kind: str, says: list[int | None]) -> None:
    with pytest.raises(UnreachableError, match="does not say what data costs") as raised:
        data_fees.wei(chain(kind), scripted_pool(healthy)[0], HEAD)
    assert not is_everyones(raised.value), "the chain is there"
