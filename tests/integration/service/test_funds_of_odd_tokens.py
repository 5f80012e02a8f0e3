"""What doctor asks of tokens: one that lies or burns its gas costs no other its answer."""

from __future__ import annotations

import pytest

from keeper.chain import blocks
from keeper.chain.calls import Call, run
from keeper.chain.contract_reads import ContractReads
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.doctor.funds import decimals_of
from keeper.localchain.anvil import Anvil
from keeper.model.format import format_amount_short

pytestmark = pytest.mark.integration

BURNER, LIAR, HONEST, NOBODY = ("0x" + f"{number:02x}" * 20 for number in (0xA1, 0xA2, 0xA3, 0xA4))


def _says(number: int) -> bytes:
    return bytes.fromhex("7f" + f"{number:064x}" + "60005260206000f3")


def test_decimals_of_tokens_that_burn_lie_and_answer(anvil: Anvil) -> None:
    anvil.set_code(BURNER, b"\xfe")
    anvil.set_code(LIAR, _says(2**256 - 1))
    anvil.set_code(HONEST, _says(6))
    anvil.mine()
    pool = NodePool("local", Chain(chain_id=31337, rpc=[anvil.url]))
    head = blocks.latest(pool)
    # More burners than all the gas that a node grants would bear.
    tokens = [*[BURNER] * 300, LIAR, NOBODY, HONEST]
    found = run(pool, head, [Call(token, bytes.fromhex("313ce567")) for token in tokens])
    assert [answer.ok for answer in found[:300]] == [False] * 300 and found[-1].ok
    decimals = decimals_of(ContractReads(pool, head), tokens)
    assert decimals == {BURNER: 0, LIAR: 0, NOBODY: 0, HONEST: 6}
    assert format_amount_short(5, decimals[LIAR]) == "5"
