"""Chains that charge for data: asked of a stand-in for the OP stack's oracle, which a local chain lacks."""

from __future__ import annotations

import pytest

from keeper.chain import blocks
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.errors import UnreachableError
from keeper.localchain.anvil import Anvil
from keeper.service.planning import data_fees

pytestmark = pytest.mark.integration

# Runtime code that answers 16 wei for each byte of its call data.
STAND_IN = bytes.fromhex("3660100260005260206000f3")


# PUSH1 64 CALLDATASIZE GT PUSH1 0c JUMPI PUSH1 0 PUSH1 0 REVERT JUMPDEST, then as above.
OLD_ORACLE = bytes.fromhex("60403611600c5760006000fd5b3660100260005260206000f3")


def chain(anvil: Anvil, kind: str) -> Chain:
    return Chain.model_validate({"chain_id": 31337, "rpc": [anvil.url], "data_fee": kind})


def test_an_op_chain_is_asked_what_data_costs_and_others_are_not(anvil: Anvil) -> None:
    anvil.set_code(data_fees.OP_STACK_ORACLE, STAND_IN)
    anvil.mine()
    settings = chain(anvil, "op-stack")
    pool = NodePool("local", settings)
    wei = data_fees.wei(settings, pool, blocks.latest(pool))
    l1_fee, operator_fee = 16 * (4 + 64 + -(-len(data_fees.SAMPLE) // 32) * 32), 16 * (4 + 32)
    assert wei == l1_fee + operator_fee
    before = pool.requests
    assert data_fees.wei(chain(anvil, "none"), pool, blocks.latest(pool)) == 0
    assert pool.requests == before + 1


@pytest.mark.parametrize(
    ("at", "kind"), [(data_fees.OP_STACK_ORACLE, "op-stack"), (data_fees.SCROLL_ORACLE, "scroll")]
)
def test_who_tells_what_data_costs_is_found_by_asking(anvil: Anvil, at: str, kind: str) -> None:
    anvil.set_code(at, STAND_IN)
    anvil.mine()
    pool = NodePool("local", chain(anvil, "none"))
    assert data_fees.probe(pool, blocks.latest(pool)) == kind
    asked = Chain.model_validate({"chain_id": 31337, "rpc": [anvil.url]})
    found = data_fees.wei(asked, pool, blocks.latest(pool))
    assert found == data_fees.wei(chain(anvil, kind), pool, blocks.latest(pool)) > 0


def test_an_operator_fee_counts_only_where_the_chain_answers_it(anvil: Anvil) -> None:
    """Code that answers only long calls: an oracle of before Isthmus has no getOperatorFee."""
    anvil.set_code(data_fees.OP_STACK_ORACLE, OLD_ORACLE)
    anvil.mine()
    settings = chain(anvil, "op-stack")
    pool = NodePool("local", settings)
    wei = data_fees.wei(settings, pool, blocks.latest(pool))
    assert wei == 16 * (4 + 64 + -(-len(data_fees.SAMPLE) // 32) * 32)


def test_a_chain_without_either_is_asked_once(anvil: Anvil) -> None:
    anvil.mine()
    asked = Chain.model_validate({"chain_id": 31337, "rpc": [anvil.url]})
    pool = NodePool("local", asked)
    head = blocks.latest(pool)
    assert data_fees.wei(asked, pool, head) == 0
    before = pool.requests
    assert data_fees.wei(asked, pool, head) == 0 and pool.requests == before


def test_a_chain_that_is_none_of_the_op_stack_is_said_to_be_none(anvil: Anvil) -> None:
    anvil.mine()
    settings = chain(anvil, "op-stack")
    pool = NodePool("local", settings)
    with pytest.raises(UnreachableError, match="does not say what data costs"):
        data_fees.wei(settings, pool, blocks.latest(pool))
