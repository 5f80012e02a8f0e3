"""A rehearsal on an older block than the one that was decided at says nothing: another backend is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keeper.chain import pool as pool_module
from keeper.chain.answers import WrongStateError
from keeper.execution.rehearsal import rehearse, rehearse_whole, simulate
from keeper.model.plan import Plan, Spend
from tests.support.scripted_node import Say, healthy, scripted_pool
from tests.unit.chain.test_block_time import head

pytestmark = pytest.mark.unit

US = "0x" + "12" * 20
CALL = {"from": US, "to": US, "data": "0x"}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES", (0.0, 0.0))


def _on_blocks(*numbers: int | None, anvil: bool = False) -> Any:
    """Simulations on top of these blocks, one after another."""
    left = list(numbers)

    def script(method: str, params: list[Any]) -> Say | Exception:
        if method != "eth_simulateV1":
            return healthy(method, params)
        base = left.pop(0)
        said = {"calls": [{"status": hex(base is not None and base >= 100), "gasUsed": "0x1"}]}
        if base is None:
            return Say([said])
        # As geth says it, and as Anvil does.
        geth = {**said, "number": hex(base + 1), "parentHash": "0x" + "ab" * 32}
        return Say([{**said, "number": hex(base), "parentHash": "0x" + "00" * 32} if anvil else geth])

    return script


@pytest.mark.parametrize("anvil", [False, True])
@pytest.mark.parametrize("behind", [(), (99,), (98, 99)])
def test_a_backend_that_is_behind_is_not_believed(behind: tuple[int, ...], anvil: bool) -> None:
    pool, _ = scripted_pool(_on_blocks(*behind, 100, anvil=anvil))
    pool.worked_at = head(100, 1200)
    assert simulate(pool, [CALL], 1212)[0]["status"] == "0x1"


def test_one_that_stays_behind_is_the_nodes_trouble() -> None:
    pool, _ = scripted_pool(_on_blocks(99, 99, 99))
    pool.worked_at = head(100, 1200)
    with pytest.raises(WrongStateError):
        simulate(pool, [CALL], 1212)


def test_a_plan_whose_time_is_over_is_not_even_rehearsed() -> None:
    over = Plan(
        "m", "0x01", "liquidate", "liquidate", US, "0x", Spend(US, "", 0), 0, 1, 1, {}, valid_until=1211
    )
    pool, _ = scripted_pool(_on_blocks())
    assert "too old" in rehearse(pool, US, over, (), 1212).problem
    pool, _ = scripted_pool(_on_blocks(100))
    pool.worked_at = head(100, 1200)
    assert rehearse_whole(pool, US, replace(over, valid_until=1212), (), 1212).problem == ""


def test_a_newer_block_and_one_that_is_not_told_will_do() -> None:
    for base in (101, None):
        pool, _ = scripted_pool(_on_blocks(base))
        pool.worked_at = head(100, 1200)
        assert len(simulate(pool, [CALL], 1212)) == 1
