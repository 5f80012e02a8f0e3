"""State hashes, interest and roots of the keeper's attestations are the contract's own, to the unit."""

from __future__ import annotations

import random

import pytest

from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata, decoded
from keeper.localchain.solc import Compilation, artifacts
from keeper.margin.portfolio.clearinghouse.attestation import STATE, cash_with_interest, state_hash
from keeper.margin.portfolio.clearinghouse.sum_tree import (
    SolvencyFigures,
    SolvencyLeaf,
    SumNode,
    SumTree,
    depth_for,
)
from keeper.margin.portfolio.clearinghouse.values import ClearingLeg, ClearingState
from tests.support.state_override import LENS_ADDRESS, call_with_code

pytestmark = pytest.mark.integration

HARNESS = Compilation(("test/clearinghouse/SumTreeHarness.sol",), runs=10_000, evm_version="paris")
NODE = "(bytes32,(uint256,uint256,uint256,uint256))"


def asked(anvil: Anvil, signature: str, arguments: tuple[object, ...], answer: str) -> tuple[object, ...]:
    code = {LENS_ADDRESS: "0x" + artifacts(HARNESS)["SumTreeHarness"].runtime}
    data = calldata(signature, *arguments)
    (found,) = decoded([answer], call_with_code(anvil.rpc, LENS_ADDRESS, data, code))
    assert isinstance(found, tuple)
    return found


def wordy(node: SumNode) -> tuple[bytes, tuple[int, ...]]:
    return node.hash, node.sums.words()


def test_roots_above_every_leaf(anvil: Anvil) -> None:
    draw = random.Random(1)
    for count in (0, 1, 2, 5, 11):
        tree = SumTree(
            tuple(
                SolvencyLeaf(draw.randbytes(32), SolvencyFigures(*(draw.getrandbits(256) for _ in range(4))))
                for _ in range(count)
            )
        )
        shown = [tree.opening(index) for index in range(2**tree.depth)]
        paths = [
            (each.index, (each.leaf.state, each.leaf.figures.words()), [wordy(n) for n in each.siblings])
            for each in shown
        ]
        found = asked(anvil, f"roots((uint256,{NODE},{NODE}[])[])", (paths,), f"{NODE}[]")
        assert found == (wordy(tree.root),) * len(paths)


def test_depths(anvil: Anvil) -> None:
    counts = [*range(40), 2**20 - 1, 2**20, 2**20 + 1, 2**24]
    assert asked(anvil, "depths(uint256[])", (counts,), "uint256[]") == tuple(map(depth_for, counts))


def test_state_hashes(anvil: Anvil) -> None:
    draw = random.Random(2)
    states = [
        ClearingState(
            draw.randint(-(2**127), 2**127),
            draw.getrandbits(128),
            draw.getrandbits(128),
            tuple(draw.getrandbits(100) for _ in range(count % 3)),
            tuple(
                ClearingLeg(
                    draw.getrandbits(32),
                    draw.randint(-(2**63), 2**63 - 1),
                    draw.randint(-(2**127), 2**127 - 1),
                )
                for _ in range(count)
            ),
        )
        for count in range(17)
    ]
    rows = [
        (
            s.cash,
            s.due,
            s.lending_index,
            s.collateral,
            [(x.instrument, x.size, x.cost) for x in s.legs],
        )
        for s in states
    ]
    assert asked(anvil, f"states({STATE}[])", (rows,), "bytes32[]") == tuple(map(state_hash, states))


def test_interest(anvil: Anvil) -> None:
    draw = random.Random(3)
    amounts = [draw.randint(-(10 ** draw.randint(0, 30)), 10 ** draw.randint(0, 30)) for _ in range(500)]
    rows = [(draw.randint(0, 10**26), draw.randint(0, 10**19)) for _ in amounts]
    found = asked(anvil, "cash(int256[],uint256[2][])", (amounts, rows), "int256[]")
    assert found == tuple(cash_with_interest(each, *row) for each, row in zip(amounts, rows, strict=True))
