"""What an answer means: the chain's word or one node's trouble, whatever words and codes it comes in."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from keeper.chain import blocks
from keeper.chain import pool as pool_module
from keeper.chain.answers import (
    BusyError,
    CannotError,
    NodeError,
    RefusedError,
    RevertError,
    RpcError,
    WrongStateError,
)
from keeper.chain.http import PostError, PostTimeoutError, PostUnsentError
from keeper.chain.node import Node
from tests.support.scripted_node import CHAIN_ID, Say, Script, healthy, scripted, scripted_pool
from tests.unit.chain.test_block_time import block

pytestmark = pytest.mark.unit

DICE = random.Random(20)
WORDS = ["purple", "kaputt", "no", "обедаем", "please hold the line", "E_UNLUCKY", "", "rate", "0x", "null"]
CODES = [*range(-32700, -32016), *range(4, 900)]
# What nodes were seen to say when the request had nothing to do with it, and what they might.
TROUBLES: list[Say | Exception] = [
    Say(error={"code": -32005, "message": "daily request count exceeded, request rate limited"}),
    Say(error={"code": -32016, "message": "over rate limit"}),
    Say(error={"code": -32007, "message": "15/second request limit reached"}),
    Say(error={"code": -32603, "message": "request failed or timed out"}),
    Say(error={"code": 429, "message": "Too Many Requests"}),
    Say(error={"code": None, "message": None}),
    Say(error={"code": "RATE_LIMITED", "message": {"why": ["so"]}, "data": {"see": "docs"}}),
    Say(error="Unauthorized"),
    Say(error=["a", "list"]),
    Say(error={"code": True, "message": "yes"}),
    Say(error={"code": 10**30, "message": "large"}),
    Say(status=429),
    Say(status=503),
    Say(status=403, error={"message": "plan"}),
    Say(status=307),
    Say(body=b"<html>upstream</html>"),
    Say(body=b"[" * 200_000),
    Say(body=b'{"jsonrpc":"2.0","id":1}'),
    Say(body=b'"0x1"'),
    Say(body=b"\xff\xfe"),
    Say(body=b'{"result": ' + b"9" * 5000 + b"}"),
    PostTimeoutError("late"),
    PostUnsentError("nobody"),
    PostError("broke"),
    *(
        Say(
            error={
                "code": DICE.choice([*range(-32700, -32016), *range(4, 900)]),
                "message": DICE.choice(WORDS),
            }
        )
        for _ in range(40)
    ),
]
TROUBLES = [
    t for t in TROUBLES if not (isinstance(t, Say) and isinstance(t.error, dict) and t.error.get("code") == 3)
]
REQUESTS: list[tuple[str, list[Any]]] = [
    ("eth_call", [{"to": "0x" + "11" * 20, "data": "0x", "gas": "0x10"}, {"blockHash": "0x" + "22" * 32}]),
    ("eth_getLogs", [{"blockHash": "0x" + "22" * 32}]),
    ("eth_getLogs", [{"fromBlock": "0x1", "toBlock": "0x9"}]),
    ("eth_getBlockByNumber", ["latest", False]),
    ("eth_getTransactionReceipt", ["0x" + "33" * 32]),
    ("eth_getTransactionCount", ["0x" + "11" * 20, "latest"]),
    ("eth_getBalance", ["0x" + "11" * 20, "latest"]),
]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PAUSES", (0.0, 0.0))


def always(said: Say | Exception) -> Script:
    return lambda method, params: said


@pytest.mark.parametrize("trouble", TROUBLES, ids=repr)
def test_a_node_in_trouble_is_left_for_another_in_the_same_request(trouble: Say | Exception) -> None:
    """Whatever its words; and the trouble is never the chain's answer."""
    for method, params in REQUESTS:
        pool, (_, second) = scripted_pool(always(trouble), healthy)
        assert pool.call(method, *params) == healthy(method, params).result
        assert (method, params) in second.asked
        assert pool.standings[0].faults > 0


@pytest.mark.parametrize("trouble", TROUBLES, ids=repr)
def test_trouble_of_all_nodes_is_one_error_with_each_ones_words(trouble: Say | Exception) -> None:
    for method, params in REQUESTS:
        pool, _ = scripted_pool(always(trouble), always(trouble))
        with pytest.raises(NodeError) as raised:
            pool.call(method, *params)
        assert "node0.invalid" in str(raised.value) and "node1.invalid" in str(raised.value)


def test_a_passing_trouble_of_the_only_node_is_tried_again_at_once() -> None:
    for trouble in TROUBLES:
        left = [trouble, trouble]

        def script(method: str, params: list[Any], left: list[Any] = left) -> Say | Exception:
            return left.pop() if left and method != "eth_chainId" else healthy(method, params)

        pool, _ = scripted_pool(script)
        assert pool.call("eth_getBlockByNumber", "latest", False) == {"number": "0x1"}


@pytest.mark.parametrize(
    "error",
    [
        {"code": 3, "message": "execution reverted: no", "data": "0x08c379a0" + "00" * 32},
        {"code": 3, "message": "execution reverted"},
        {"code": -32000, "message": "execution reverted"},
        {"code": -32015, "message": "VM execution error.", "data": "Reverted 0x4e487b71" + "00" * 32},
        {"code": -32015, "message": "VM execution error."},
        {"code": -32603, "message": "VM Exception while processing transaction: revert"},
        {"code": -32000, "message": "invalid opcode: INVALID"},
        {"code": 7, "message": "?", "data": "0x11223344"},
        {"code": -32603, "message": "Error", "data": {"data": "0x11223344", "message": "?"}},
    ],
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_revert_is_the_chains_answer_with_data_or_without(error: dict[str, Any], status: int) -> None:
    pool, (_, second) = scripted_pool(
        lambda m, p: Say(error=error, status=status) if m == "eth_call" else healthy(m, p), healthy
    )
    with pytest.raises(RevertError) as raised:
        pool.call("eth_call", {"to": "0x" + "11" * 20}, "latest")
    assert not second.asked and pool.standings[0].faults == 0
    data = error.get("data")
    digits = data["data"] if isinstance(data, dict) else data and data.removeprefix("Reverted ")
    assert raised.value.data == digits


REFUSALS = [
    "nonce too low",
    "already known",
    "replacement transaction underpriced",
    "transaction underpriced: gas tip cap 1, minimum needed 25000000000",
    "insufficient funds for gas * price + value",
    "intrinsic gas too low",
    "gapped-nonce tx from delegated accounts",
    "in-flight transaction limit reached for delegated accounts",
    "max fee per gas less than block base fee",
    "exceeds block gas limit",
    "tx fee (3 ether) above the configured cap",
    "sender is not on the list",
    "Transaction gas price is below the floor of this chain",
]


@pytest.mark.parametrize("words", REFUSALS)
@pytest.mark.parametrize("code", [-32000, -32003, -32010, -32602])
def test_a_refused_transaction_is_asked_of_one_other_node_and_then_believed(words: str, code: int) -> None:
    refuses = always(Say(error={"code": code, "message": words}))

    def refusing(method: str, params: list[Any]) -> Say | Exception:
        return refuses(method, params) if method == "eth_sendRawTransaction" else healthy(method, params)

    pool, posters = scripted_pool(refusing, refusing, refusing)
    with pytest.raises(RefusedError):
        pool.send("0xf8")
    sends = [sum(method == "eth_sendRawTransaction" for method, _ in each.asked) for each in posters]
    assert sends == [1, 1, 0] and not any(each.faults for each in pool.standings)
    taken, _ = scripted_pool(refusing, healthy)
    assert taken.send("0xf8") == "0x" + "ab" * 32


@pytest.mark.parametrize("lost", [PostTimeoutError("late"), PostError("broke"), Say(status=502)])
@pytest.mark.parametrize("first", [True, False])
def test_a_refusal_never_turns_maybe_sent_into_not_sent(lost: Say | Exception, first: bool) -> None:
    """A node that gave no answer may have passed it on: "nonce too low" may be its doing."""

    def loses(method: str, params: list[Any]) -> Say | Exception:
        return lost if method == "eth_sendRawTransaction" else healthy(method, params)

    def refuses(method: str, params: list[Any]) -> Say | Exception:
        said = Say(error={"code": -32000, "message": "nonce too low"})
        return said if method == "eth_sendRawTransaction" else healthy(method, params)

    scripts = (loses, refuses) if first else (refuses, loses)
    pool, _ = scripted_pool(*scripts)
    with pytest.raises(NodeError):
        pool.send("0xf8")


def test_who_was_never_reached_has_not_sent_it() -> None:
    refuses = always(Say(error={"code": -32000, "message": "nonce too low"}))
    pool, _ = scripted_pool(
        lambda m, p: PostUnsentError("nobody"), lambda m, p: refuses(m, p) if "send" in m else healthy(m, p)
    )
    with pytest.raises(RefusedError):
        pool.send("0xf8")


SIMULATION: list[Any] = [{"blockStateCalls": []}, "latest"]


@pytest.mark.parametrize(
    "said",
    [
        Say(error={"code": -32601, "message": "the method eth_simulateV1 does not exist"}),
        Say(error={"code": -32600, "message": "invalid request"}),
        Say(error={"code": -32004, "message": "unsupported"}),
        Say(error={"code": -32603, "message": "internal error"}),
        Say(error={"code": 1, "message": "gibt's nicht"}),
        Say(status=400),
        Say(status=403, error={"code": 12, "message": "upgrade your plan"}),
        Say(status=404, body=b"<html>"),
    ],
)
def test_a_method_that_is_missing_is_known_by_the_node_answering_others(said: Say) -> None:
    """No code decides it, nor one refusal alone; and it is asked for again only after a while."""

    def script(method: str, params: list[Any]) -> Say:
        return said if method == "eth_simulateV1" else healthy(method, params)

    pool, [poster] = scripted_pool(script)
    for _ in range(3):
        with pytest.raises(CannotError) as raised:
            pool.call("eth_simulateV1", *SIMULATION)
        assert raised.value.about == "method"
    assert sum(method == "eth_simulateV1" for method, _ in poster.asked) == 3
    assert pool.standings[0].faults == 0
    pool, (_, second) = scripted_pool(script, healthy)
    assert pool.call("eth_simulateV1", *SIMULATION) == [{"calls": []}] and second.asked
    assert pool.current is pool.nodes[0]


SERVED: dict[str, Any] = {
    "eth_gasPrice": "0x1",
    "eth_maxPriorityFeePerGas": "0x2",
    "eth_feeHistory": {"baseFeePerGas": []},
    "eth_simulateV1": [{"calls": []}],
}


@pytest.mark.parametrize("method", SERVED)
@pytest.mark.parametrize("code", [-32601, -32007, 403, None, 0.5])
def test_a_method_refused_by_chance_is_not_given_up(method: str, code: Any) -> None:
    """Neither where it was never served, nor where it was and two refusals follow one another."""
    turn = 0
    refused = {0, 2, 3, 5}

    def script(name: str, params: list[Any]) -> Say:
        nonlocal turn
        if name != method:
            return healthy(name, params)
        turn += 1
        return Say(error={"code": code, "message": "Wo?"}) if turn - 1 in refused else Say(SERVED[method])

    pool, _ = scripted_pool(script)
    for _ in range(4):
        assert pool.call(method, *SIMULATION) == SERVED[method]


def test_a_method_that_is_taken_away_is_missed_after_some_refusals() -> None:
    served = True

    def script(method: str, params: list[Any]) -> Say:
        if method != "eth_gasPrice" or served:
            return Say("0x1") if method == "eth_gasPrice" else healthy(method, params)
        return Say(error={"code": -32603, "message": "no"})

    pool, [poster] = scripted_pool(script)
    pool.call("eth_gasPrice")
    served = False
    kinds = []
    for _ in range(9):
        with pytest.raises(NodeError) as raised:
            pool.call("eth_gasPrice")
        kinds.append(type(raised.value))
    assert kinds[0] is BusyError and kinds[-1] is CannotError
    assert sum(method == "eth_gasPrice" for method, _ in poster.asked) < 15


def test_a_node_that_fails_now_and_then_is_not_left_for_one_that_failed_more() -> None:
    failing = {0}

    def nth(index: int) -> Callable[[str, list[Any]], Say]:
        def script(method: str, params: list[Any]) -> Say:
            return Say(status=503) if index in failing else healthy(method, params)

        return script

    pool, _ = scripted_pool(nth(0), nth(1))
    for _ in range(3):
        pool.call("eth_blockNumber")
    assert pool.current is pool.nodes[1]
    pool.standings[0].failed(5)
    failing.clear()
    failing.add(1)
    pool.call("eth_blockNumber")
    assert pool.current is pool.nodes[1]
    for _ in range(9):
        pool.call("eth_blockNumber")
    assert pool.current is pool.nodes[0]


def test_the_same_refusal_from_a_node_that_answers_nothing_is_its_trouble() -> None:
    for said in (Say(error={"code": -32603, "message": "internal error"}), Say(status=403)):
        node, _ = scripted(always(said))
        with pytest.raises(BusyError):
            node.call("eth_simulateV1", SIMULATION)


@pytest.mark.parametrize("code", [-38010, -38014, -38026, -32003])
def test_a_simulation_refused_on_its_merits_is_no_fault(code: int) -> None:
    def script(method: str, params: list[Any]) -> Say:
        said = Say(error={"code": code, "message": "block number in sequence"})
        return said if method == "eth_simulateV1" else healthy(method, params)

    pool, posters = scripted_pool(script, script)
    with pytest.raises(RefusedError):
        pool.call("eth_simulateV1", *SIMULATION)
    assert all(len([m for m, _ in each.asked if m == "eth_simulateV1"]) == 1 for each in posters)


@pytest.mark.parametrize("words", ["header for hash not found", "hash is not currently canonical", "Wo?", ""])
@pytest.mark.parametrize("code", [-32000, -32001, -32603, 5])
def test_a_node_without_the_block_is_behind_whatever_it_says(words: str, code: int) -> None:
    """It has the latest block and not this one: no fault until it happens again and again."""

    def behind(method: str, params: list[Any]) -> Say:
        pinned = any(isinstance(each, dict) and "blockHash" in each for each in params)
        if method == "eth_getBlockByHash":
            return Say(None)
        return Say(error={"code": code, "message": words}) if pinned else healthy(method, params)

    for method, params in REQUESTS[:2]:
        pool, _ = scripted_pool(behind, healthy)
        assert pool.call(method, *params) == healthy(method, params).result
        assert pool.standings[0].faults == 0 and pool.current is pool.nodes[0]
        alone, _ = scripted_pool(behind)
        with pytest.raises(WrongStateError):
            alone.call(method, *params)
        for _ in range(3):
            pool.call(method, *params)
        assert pool.standings[0].faults > 0


@pytest.mark.parametrize("method", ["eth_call", "eth_getBalance", "eth_getTransactionCount", "eth_getLogs"])
def test_null_where_null_is_no_result_is_a_node_that_is_behind(method: str) -> None:
    params = next(params for name, params in REQUESTS if name == method)
    pool, _ = scripted_pool(lambda m, p: Say(None) if m == method else healthy(m, p), healthy)
    assert pool.call(method, *params) == healthy(method, params).result


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("eth_call", 5),
        ("eth_call", "0x1"),
        ("eth_call", {}),
        ("eth_getLogs", "0x"),
        ("eth_getLogs", ["0x"]),
        ("eth_getBalance", "12"),
        ("eth_getBalance", ""),
        ("eth_getTransactionCount", [1]),
        ("eth_getBlockByNumber", "0x"),
        ("eth_getTransactionReceipt", []),
    ],
)
def test_a_result_of_another_shape_is_none(method: str, result: Any) -> None:
    params = next(params for name, params in REQUESTS if name == method)
    pool, _ = scripted_pool(lambda m, p: Say(result) if m == method else healthy(m, p), healthy)
    assert pool.call(method, *params) == healthy(method, params).result
    alone, _ = scripted_pool(lambda m, p: Say(result) if m == method else healthy(m, p))
    with pytest.raises(BusyError):
        alone.call(method, *params)


@pytest.mark.parametrize("cap", [10_000_000, 16_777_216, 25_000_000, 50_000_000, 550_000_000])
@pytest.mark.parametrize("words", ["Block gas limit exceeded", "intrinsic gas too high", "nope"])
def test_a_node_that_refuses_much_gas_is_asked_for_what_it_takes(cap: int, words: str) -> None:
    def script(method: str, params: list[Any]) -> Say:
        too_much = method == "eth_call" and int(params[0].get("gas", "0x0"), 16) > cap
        return Say(error={"code": -32000, "message": words}) if too_much else healthy(method, params)

    node, poster = scripted(script)
    request: list[Any] = [{"to": "0x" + "11" * 20, "gas": hex(2_000_000_000)}, {"blockHash": "0x" + "2" * 64}]
    assert node.call("eth_call", request) == "0x"
    assert node.most_gas is not None and cap * 15 // 16 <= node.most_gas <= cap
    poster.asked.clear()
    assert node.call("eth_call", request) == "0x"
    assert len(poster.asked) == 1


def test_a_rate_limit_on_log_ranges_is_no_matter_of_their_width() -> None:
    """It refuses the narrow range as well: nothing is halved, and another node answers."""
    limited = Say(error={"code": -32005, "message": "limit exceeded"})
    pool, (first, _) = scripted_pool(lambda m, p: limited if m == "eth_getLogs" else healthy(m, p), healthy)
    assert pool.call("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0xffff"}) == []
    assert sum(method == "eth_getLogs" for method, _ in first.asked) <= 3
    alone, _ = scripted_pool(lambda m, p: limited if m == "eth_getLogs" else healthy(m, p))
    with pytest.raises(NodeError) as raised:
        alone.call("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0xffff"})
    assert not raised.value.refused


@pytest.mark.parametrize("words", ["query returned more than 10000 results", "limit exceeded", "zu breit"])
@pytest.mark.parametrize("code", [-32005, -32602, -32000])
def test_a_range_that_is_too_wide_may_be_narrowed(words: str, code: int) -> None:
    def script(method: str, params: list[Any]) -> Say:
        wide = method == "eth_getLogs" and params[0]["fromBlock"] != params[0]["toBlock"]
        return Say(error={"code": code, "message": words}) if wide else healthy(method, params)

    pool, _ = scripted_pool(script)
    with pytest.raises(CannotError) as raised:
        pool.call("eth_getLogs", {"fromBlock": "0x1", "toBlock": "0xffff"})
    assert raised.value.about == "size" and raised.value.refused and pool.standings[0].faults == 0


def test_what_only_looks_like_a_limit_once_is_none() -> None:
    """One refusal of a large call between two answers is a passing trouble, and costs no narrowing."""
    left = [Say(error={"code": -32000, "message": "hm"})]

    def script(method: str, params: list[Any]) -> Say:
        large = method == "eth_call" and len(params[0].get("data", "")) > 100
        return left.pop() if large and left else healthy(method, params)

    pool, _ = scripted_pool(script)
    request = [{"to": "0x" + "11" * 20, "data": "0x" + "00" * 500}, {"blockHash": "0x" + "22" * 32}]
    assert pool.call("eth_call", *request) == "0x"


def test_a_chain_without_a_final_block_says_so_of_that_alone() -> None:
    def script(method: str, params: list[Any]) -> Say:
        return (
            Say(error={"code": -39001, "message": "?"}) if "finalized" in params else healthy(method, params)
        )

    pool, _ = scripted_pool(script)
    with pytest.raises(CannotError):
        pool.call("eth_getBlockByNumber", "finalized", False)
    assert pool.call("eth_getBlockByNumber", "latest", False) == {"number": "0x1"}


def test_no_words_of_a_node_can_break_the_reading_of_them() -> None:
    """A thousand errors of random shapes: an error of the two families, never anything else."""
    dice = random.Random(11)

    def shape(depth: int = 0) -> Any:
        makers: list[Callable[[], Any]] = [
            lambda: None,
            lambda: dice.random() < 0.5,
            lambda: dice.randrange(-(10**6), 10**6),
            lambda: dice.random() * 10,
            lambda: "".join(dice.choice("aéRevt 0x\x00\n") for _ in range(dice.randrange(12))),
            lambda: [shape(depth + 1) for _ in range(dice.randrange(3))],
            lambda: {dice.choice(["code", "message", "data", "x"]): shape(depth + 1) for _ in range(3)},
        ]
        return dice.choice(makers[: 5 if depth > 2 else 7])()

    for _ in range(1_000):
        error = shape()
        method, params = dice.choice(REQUESTS)
        answer = json.dumps({"id": 1, "error": error, "result": shape()}).encode()
        node, _ = scripted(always(Say(body=answer)))
        try:
            node.call(method, params)
        except (NodeError, RpcError):
            continue


def test_the_chain_id_is_checked_without_holding_up_others() -> None:
    pool, _ = scripted_pool(healthy)
    assert pool.call("eth_chainId") == hex(CHAIN_ID)


def test_no_lock_is_held_while_a_node_is_waited_for() -> None:
    """One thread hangs in the very first question to a node; another is answered meanwhile."""
    hangs, free = threading.Event(), threading.Event()
    first = [True]

    def script(method: str, params: list[Any]) -> Say:
        if method == "eth_chainId" and first:
            first.clear()
            hangs.set()
            assert free.wait(10)
        return healthy(method, params)

    pool, _ = scripted_pool(script)
    waiting = threading.Thread(target=lambda: pool.call("eth_gasPrice"))
    waiting.start()
    assert hangs.wait(10)
    assert pool.call("eth_gasPrice") == "0x1"
    free.set()
    waiting.join(10)


def test_a_node_that_hangs_holds_up_a_question_to_all_for_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "PATIENCE", 0.05)
    free = threading.Event()

    def hangs(method: str, params: list[Any]) -> Say:
        assert free.wait(10)
        return healthy(method, params)

    pool, _ = scripted_pool(healthy, hangs)
    first, second = pool.call_each("eth_gasPrice")
    assert first == "0x1" and isinstance(second, BusyError)
    free.set()


def test_a_node_that_hangs_for_long_costs_later_questions_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It owes a few answers, and is not asked for more until it gives them."""
    monkeypatch.setattr(pool_module, "PATIENCE", 0.02)
    free = threading.Event()

    def hangs(method: str, params: list[Any]) -> Say:
        assert free.wait(20)
        return healthy(method, params)

    pool, _ = scripted_pool(healthy, hangs)
    for _ in range(12):
        first, second = pool.call_each("eth_gasPrice")
        assert first == "0x1" and isinstance(second, BusyError)
    assert "owes" in str(second)
    free.set()


def test_a_block_that_one_node_has_not_is_asked_of_another() -> None:
    pool, _ = scripted_pool(lambda m, p: Say(None), lambda m, p: Say(block(5, 50)))
    found = blocks.by_number(pool, 5)
    assert found is not None and found.number == 5
    nobody, _ = scripted_pool(lambda m, p: Say(None), lambda m, p: Say(None))
    assert blocks.by_number(nobody, 5) is None
    other, _ = scripted_pool(lambda m, p: Say(block(4, 40)), lambda m, p: Say(block(5, 50)))
    found = blocks.by_number(other, 5)
    assert found is not None and found.number == 5


@pytest.mark.parametrize("words", ["daily request count exceeded", "slow down", "invalid params", "?"])
def test_the_code_of_invalid_parameters_is_no_answer_where_ours_are_valid(words: str) -> None:
    said = Say(error={"code": -32602, "message": words})
    for method, params in REQUESTS:
        pool, _ = scripted_pool(_refusing(method, said), healthy)
        assert pool.call(method, *params) == healthy(method, params).result


def _refusing(refused: str, said: Say) -> Script:
    return lambda method, params: said if method == refused else healthy(method, params)


@pytest.mark.parametrize("words", ["header not found", "weg"])
def test_a_simulation_on_a_block_that_a_node_has_not_yet_is_no_missing_method(words: str) -> None:
    def script(method: str, params: list[Any]) -> Say:
        if method == "eth_getBlockByNumber" and params[0] != "latest":
            return Say(None)
        said = Say(error={"code": -32000, "message": words})
        return said if method == "eth_simulateV1" else healthy(method, params)

    pool, _ = scripted_pool(script)
    with pytest.raises(WrongStateError):
        pool.call("eth_simulateV1", {"blockStateCalls": []}, "0x64")
    assert not pool.nodes[0]._lacks


def test_a_method_that_was_missing_once_is_forgotten_when_it_answers() -> None:
    missing = [True]

    def script(method: str, params: list[Any]) -> Say:
        said = Say(error={"code": -32601, "message": "no"})
        return said if method == "eth_simulateV1" and missing else healthy(method, params)

    node, _ = scripted(script)
    with pytest.raises(CannotError):
        node.call("eth_simulateV1", SIMULATION)
    missing.clear()
    node._lacks = {name: replace(lack, until=0.0) for name, lack in node._lacks.items()}
    assert node.call("eth_simulateV1", SIMULATION) == [{"calls": []}] and not node._lacks


def test_a_node_that_served_this_chain_before_is_never_given_up_for_another_id() -> None:
    """A passing answer of a balancer's is no reason to end: only a node that never was right is one."""
    ids = [hex(CHAIN_ID), "0x1", "0x1", "0x1"]

    def script(method: str, params: list[Any]) -> Say:
        return Say(body=json.dumps({"id": 1, "result": ids.pop(0) if ids else hex(CHAIN_ID)}).encode())

    pool, _ = scripted_pool(script)
    pool.call("eth_chainId")
    pool._checked.clear()
    ids[:] = ["0x1"] * 3
    with pytest.raises(NodeError, match="now says"):
        pool.call("eth_gasPrice")
    assert pool.call("eth_gasPrice") and not pool.standings[0].excluded


@pytest.mark.parametrize(
    "url",
    [
        "https://node.invalid/v2/abcdef123456",
        "https://user%40x:pass%20word@node.invalid/rpc",
        "https://node.invalid/?apikey=abcdef123456",
    ],
)
def test_what_a_node_repeats_of_its_address_is_not_passed_on(url: str) -> None:
    node, _ = scripted(always(Say()))
    node._secrets = Node(url, Decimal(1))._secrets
    for words in (url, "API key abcdef123456 is not allowed", "pass word", "/v2/abcdef123456"):
        node._poster.script = always(Say(error={"code": -32000, "message": words}))  # type: ignore[attr-defined]
        with pytest.raises(NodeError) as raised:
            node.call("eth_gasPrice", [])
        assert "abcdef123456" not in str(raised.value) or "abcdef" not in url
        assert "pass word" not in str(raised.value) or "pass" not in url


def test_of_what_a_node_says_the_printable_beginning_is_kept() -> None:
    node, _ = scripted(always(Say(error={"code": 1, "message": "\x00\x1b[31m\u202e" + "x" * 5_000_000})))
    with pytest.raises(NodeError) as raised:
        node.call("eth_gasPrice", [])
    assert len(str(raised.value)) < 500 and str(raised.value).isprintable()


@dataclass
class Slowly:
    """A node that is silent for longer than it is waited for, and says so."""

    clock: list[float]
    asked: int = 0

    def __call__(self, method: str, params: list[Any]) -> Say | Exception:
        self.asked += 1
        self.clock[0] += 2.0
        return PostError("broke")


@pytest.mark.parametrize("refusals", range(1, 5))
def test_who_refuses_at_once_is_asked_again_while_who_is_silent_is_waited_for_once(
    refusals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that trickles beside one that is over its rate took the time for asking the other again."""
    clock = [0.0]
    monkeypatch.setattr(pool_module, "PAUSES", (0.05, 0.25, 0.5, 1.0))
    monkeypatch.setattr(
        "keeper.chain.pool.time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds)
    )
    monkeypatch.setattr("keeper.chain.pool.time.monotonic", lambda: clock[0])
    left = [0]

    def refuses(method: str, params: list[Any]) -> Say | Exception:
        if left[0]:
            left[0] -= 1
            return Say(error={"code": 429, "message": "Too Many Requests"}, status=429)
        return healthy(method, params)

    silent = Slowly(clock)
    pool, _ = scripted_pool(refuses, silent)
    pool.call("eth_chainId")
    for _ in range(12):
        left[0] = refusals
        before, asked = clock[0], silent.asked
        assert pool.call("eth_getBalance", "0x" + "11" * 20, "latest") == "0x1"
        assert silent.asked <= asked + 1 and clock[0] - before < 4.0


def test_a_node_that_nobody_reaches_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = list[float]()
    monkeypatch.setattr(pool_module, "PAUSES", (0.05, 0.25, 0.5, 1.0))
    monkeypatch.setattr("keeper.chain.pool.time.sleep", waited.append)
    pool, _ = scripted_pool(always(PostUnsentError("nobody")))
    with pytest.raises(NodeError):
        pool.call("eth_getBalance", "0x" + "11" * 20, "latest")
    assert sum(waited) <= 0.3


@pytest.mark.parametrize(("trouble", "checks"), [(Say(status=429), 1), (PostUnsentError("nobody"), 2)])
def test_who_was_away_is_asked_for_its_chain_again_and_who_refused_is_not(
    trouble: Say | Exception, checks: int
) -> None:
    asked, left = list[str](), [trouble]

    def script(method: str, params: list[Any]) -> Say | Exception:
        asked.append(method)
        return left.pop() if left and method == "eth_getBalance" else healthy(method, params)

    pool, _ = scripted_pool(script)
    assert pool.call("eth_getBalance", "0x" + "11" * 20, "latest") == "0x1"
    assert asked.count("eth_chainId") == checks


def sends(*says: Say | Exception) -> tuple[Any, list[str]]:
    """A pool of one node that says these to the first sends, and what it was asked."""
    asked, left = list[str](), [*says]

    def script(method: str, params: list[Any]) -> Say | Exception:
        asked.append(method)
        return left.pop(0) if left and method == "eth_sendRawTransaction" else healthy(method, params)

    pool, _ = scripted_pool(script)
    return pool, asked


def test_a_transaction_is_handed_over_again_to_who_is_busy() -> None:
    pool, asked = sends(Say(status=429), Say(error={"code": -32005, "message": "лim quo"}))
    assert pool.send("0xf8") == "0x" + "ab" * 32
    assert asked.count("eth_sendRawTransaction") == 3


def test_a_refusal_after_a_lost_answer_is_no_proof_that_it_was_not_taken() -> None:
    known = Say(error={"code": -32000, "message": "nonce too low"})
    pool, _ = sends(Say(status=503), known, known)
    with pytest.raises(NodeError):
        pool.send("0xf8")
    pool, asked = sends(known)
    with pytest.raises(RefusedError):
        pool.send("0xf8")
    assert asked.count("eth_sendRawTransaction") == 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_nodes_that_are_all_silent_are_in_trouble_and_heard_when_they_answer_again(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one of them was ever of another chain: no error of the configuration, which ends the daemon."""
    clock = [0.0]
    monkeypatch.setattr("keeper.chain.pool.time.sleep", lambda _: None)
    monkeypatch.setattr("keeper.chain.pool.time.monotonic", lambda: clock[0])
    silent = [True]

    def script(method: str, params: list[Any]) -> Say | Exception:
        if silent[0]:
            clock[0] += 2.0
            return PostError("broke")
        return healthy(method, params)

    pool, posters = scripted_pool(*[script] * count)
    for _ in range(3):
        before = sum(len(each.asked) for each in posters)
        with pytest.raises(BusyError):
            pool.call("eth_getBalance", "0x" + "11" * 20, "latest")
        assert sum(len(each.asked) for each in posters) - before == count, "each once a request"
    silent[0] = False
    assert pool.call("eth_getBalance", "0x" + "11" * 20, "latest") == "0x1"


def test_what_the_nodes_that_are_heard_cannot_do_is_asked_of_a_silent_one_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacks = Say(error={"code": -32601, "message": "the method does not exist"})
    pool, (_, second) = scripted_pool(
        lambda method, params: lacks if method == "eth_simulateV1" else healthy(method, params), healthy
    )
    pool.standings[1].is_silent = True
    assert pool.call("eth_simulateV1", {}, "latest") == [{"calls": []}]
    assert ("eth_simulateV1", [{}, "latest"]) in second.asked
