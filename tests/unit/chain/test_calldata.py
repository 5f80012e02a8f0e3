"""Calls and events by their signatures: published selectors, arguments and tuples in their places."""

from __future__ import annotations

import pytest
from eth_abi.abi import decode

from keeper.chain.calldata import calldata, encoded, topic

pytestmark = pytest.mark.unit

SPENDER = "0x" + "ab" * 20


def test_selectors_and_topics_are_the_published_ones() -> None:
    assert encoded("decimals()") == bytes.fromhex("313ce567")
    assert calldata("approve(address,uint256)", SPENDER, 7) == f"0x095ea7b3{'0' * 24}{'ab' * 20}{7:064x}"
    assert topic("Transfer(address,address,uint256)").startswith("0xddf252ad1be2c89b69c2b068fc378daa")


@pytest.mark.parametrize(
    ("types", "arguments"),
    [
        (["(address,uint256,bytes)[]", "bool"], (((SPENDER, 1, b"\x12"),), True)),
        (["(uint8,(bytes32,uint256[2]))", "string"], ((1, (b"\x01" * 32, (2, 3))), "text, with (commas)")),
        (["(address,address,address,address,uint256)", "address"], ((*(SPENDER,) * 4, 1), SPENDER)),
    ],
)
def test_tuples_are_cut_at_their_own_commas(types: list[str], arguments: tuple[object, ...]) -> None:
    data = encoded(f"f({','.join(types)})", *arguments)
    assert decode(types, data[4:]) == arguments
