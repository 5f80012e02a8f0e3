"""Chains that charge for data: asked of a stand-in for the OP stack's oracle, which a local chain lacks."""

from __future__ import annotations

import pytest

from keeper.chain import blocks
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.errors import UnreachableError
from keeper.localchain.anvil import Anvil
from keeper.service import data_fees

pytestmark = pytest.mark.integration

# Runtime code that answers 16 wei for each byte of its call data.
STAND_IN = bytes.fromhex("3660100260005260206000f3")


def chain(anvil: Anvil, kind: str) -> Chain:
    return Chain.model_validate({"chain_id": 31337, "rpc": [anvil.url], "data_fee": kind})


def test_an_op_chain_is_asked_what_data_costs_and_others_are_not(anvil: Anvil) -> None:
    anvil.set_code(data_fees.OP_STACK_ORACLE, STAND_IN)
    anvil.mine()
    settings = chain(anvil, "op-stack")
    pool = NodePool("local", settings)
    wei = data_fees.of(settings).wei(pool, blocks.latest(pool))
    assert wei == 16 * (4 + 64 + -(-len(data_fees.SAMPLE) // 32) * 32)
    before = pool.requests
    assert data_fees.of(chain(anvil, "none")).wei(pool, blocks.latest(pool)) == 0
    assert pool.requests == before + 1


def test_a_chain_that_is_none_of_the_op_stack_is_said_to_be_none(anvil: Anvil) -> None:
    anvil.mine()
    settings = chain(anvil, "op-stack")
    pool = NodePool("local", settings)
    with pytest.raises(UnreachableError, match="does not say what data costs"):
        data_fees.of(settings).wei(pool, blocks.latest(pool))
