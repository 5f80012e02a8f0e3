"""Reads of contracts in our own words: whatever stands at an address, no error is web3's."""

from __future__ import annotations

import random

import pytest
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from web3.contract.contract import ContractFunction

from keeper.chain.answers import NodeError
from keeper.chain.contract_reads import ContractError, ContractReads
from keeper.chain.http import PostUnsentError
from keeper.contracts import artifact
from keeper.errors import KeeperError
from tests.support.scripted_contracts import HEAD, Contract, Reverted, node_of
from tests.support.scripted_node import ScriptedPoster, scripted_pool

pytestmark = pytest.mark.unit

TOKEN = "0x00000000000000000000000000000000000000aa"
SELECTOR = function_signature_to_4byte_selector


def _reads(contract: Contract) -> tuple[ContractReads, ScriptedPoster]:
    pool, [poster] = scripted_pool(node_of(contract))
    return ContractReads(pool, HEAD), poster


def _every_kind(reads: ContractReads) -> list[ContractFunction]:
    """Functions that answer with numbers, text, flags, addresses and structures."""
    names = {
        "ERC20": ("decimals", "symbol"),
        "PriceFeed": ("latestRoundData",),
        "AaveV3Pool": ("getReservesList",),
    }
    asked = [reads.at(name, TOKEN).get_function_by_name(each)() for name in names for each in names[name]]
    return [*asked, reads.at("AaveV3Sentinel", TOKEN).functions.isLiquidationAllowed()]


def test_each_gets_its_answer_or_none_in_one_request() -> None:
    tokens = [f"0x{number:040x}" for number in range(1, 8)]
    answers = {tokens[1]: None, tokens[3]: b"", tokens[5]: b"short"}
    reads, poster = _reads(lambda target, _: answers.get(target, encode(["uint8"], [6])))
    found = reads.read_each([reads.at("ERC20", token).functions.decimals() for token in tokens])
    assert found == [6, None, 6, None, 6, None, 6]
    assert [m for m, _ in poster.asked].count("eth_call") == 1


def test_nothing_asked_is_nothing_read() -> None:
    reads, poster = _reads(lambda *_: None)
    assert reads.read_each([]) == [] and poster.asked == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "reverted: no reason given"),
        (SELECTOR("Error(string)") + encode(["string"], ["paused\x00 by\x1b[31m owner"]), "reverted: paused"),
        (SELECTOR("Panic(uint256)") + encode(["uint256"], [0x11]), "reverted: Panic(17)"),
        (SELECTOR("LimitExceeded(uint256)") + encode(["uint256"], [41]), "reverted: LimitExceeded(41)"),
        (SELECTOR("NoPool()"), "reverted: NoPool()"),
        (SELECTOR("Unheard(uint256)") + bytes(32), "reverted: 0x" + SELECTOR("Unheard(uint256)").hex()),
    ],
)
def test_a_revert_says_what_where_and_what_to_do(data: bytes, words: str) -> None:
    def reverting(target: str, calldata: bytes) -> bytes:
        raise Reverted(data)

    reads, _ = _reads(reverting)
    with pytest.raises(ContractError) as caught:
        reads.read(reads.at("OwnerTopUp", TOKEN).functions.POOL())
    error = caught.value
    assert error.what.startswith("POOL() of 0x00000000000000000000000000000000000000AA ")
    assert words in error.what and error.where == "chain x" and error.remedy
    assert "\x1b" not in str(error)


@pytest.mark.parametrize("data", [b"", b"\0" * 31, b"\xff" * 32])
def test_an_answer_that_is_none_of_the_function_is_an_error(data: bytes) -> None:
    reads, _ = _reads(lambda *_: data)
    with pytest.raises(ContractError, match="did not answer as its interface says"):
        reads.read(reads.at("ERC20", TOKEN).functions.decimals())


def test_nothing_that_a_contract_answers_or_reverts_with_is_an_error_of_web3s() -> None:
    dice = random.Random(13)
    starts = [b"", *map(SELECTOR, ("Error(string)", "Panic(uint256)", "LimitExceeded(uint256)"))]
    starts += [bytes.fromhex("556f1830"), (32).to_bytes(32, "big"), b"\xff" * 32, (2**63).to_bytes(32, "big")]
    answered = 0
    for _ in range(60):
        data = (
            dice.choice(starts)
            + dice.choice(starts[5:]) * dice.randrange(4)
            + dice.randbytes(dice.randrange(80))
        )
        reverts = dice.random() < 0.5

        def hostile(target: str, calldata: bytes, data: bytes = data, reverts: bool = reverts) -> bytes:
            if reverts:
                raise Reverted(data)
            return data

        reads, _ = _reads(hostile)
        asked = _every_kind(reads)
        for function in asked:
            try:
                reads.read(function)
                answered += 1
            except ContractError:
                pass
        assert len(reads.read_each(asked)) == len(asked)
    assert answered, "some of it is an answer"


def test_nodes_in_trouble_are_no_answer_of_a_contract() -> None:
    pool, _ = scripted_pool(lambda *_: PostUnsentError("refused"))
    reads = ContractReads(pool, HEAD)
    token = reads.at("ERC20", TOKEN)
    for asked in (
        lambda: reads.read(token.functions.decimals()),
        lambda: reads.read_each([token.functions.name()]),
    ):
        with pytest.raises(NodeError):
            asked()


def test_an_interface_that_is_missing_is_said() -> None:
    reads, _ = _reads(lambda *_: None)
    with pytest.raises(KeeperError, match=r"Nothing\.json: is missing"):
        reads.at("Nothing", TOKEN)


def test_interfaces_are_those_of_their_sources() -> None:
    assert {entry["name"] for entry in artifact("PriceFeed")["abi"]} >= {"latestRoundData", "getRoundData"}
    assert artifact("ERC20")["source"].startswith("@openzeppelin/")
