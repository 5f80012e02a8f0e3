"""The feeds that a price comes from, found by tracing the chain as it computes the price: no adapter is
needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keeper.chain import abi
from keeper.chain.calls import Answer
from keeper.errors import KeeperError
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, LocalRpc, as_dict, as_int, as_list, as_str
from keeper.oracles import shapes

# As Aave, Compound and the trove systems ask, and as Morpho Blue does.
_QUESTIONS = ("latestAnswer()", "latestRoundData()", "price()", "fetchPrice()")
_ANSWERS = ("0x50d25bcd", "0xfeaf968c")  # latestAnswer(), latestRoundData()

MOST_LETTERS = 80


@dataclass(frozen=True, slots=True)
class Leaf:
    """A feed as it stands: its answer in its own decimals, its newest round and that round's Unix time."""

    address: str
    description: str
    answer: int
    decimals: int
    round: int
    updated_at: int


def leaves_of(rpc: LocalRpc, source: str) -> tuple[str, ...]:
    """The feeds (lower case) that a price source asks, in whichever way the source is asked, and that ask no
    others."""
    found: list[str] = []
    for question in _QUESTIONS:
        call: Json = {"to": source, "data": calldata(question)}
        found += _leaves(as_dict(rpc.call("debug_traceCall", call, "latest", {"tracer": "callTracer"})))
    return tuple(dict.fromkeys(found))


def read_leaf(rpc: LocalRpc, address: str) -> Leaf:
    """Read a feed's present answer; KeeperError when it answers no price."""
    newest, latest = (_read(rpc, address, each) for each in ("latestRoundData()", "latestAnswer()"))
    is_round = shapes.is_round(newest)
    answer = abi.signed(newest, 1) if is_round and abi.word(latest) is None else abi.signed(latest)
    if answer is None:
        raise KeeperError("answers no price", where=f"feed {address}", remedy="Name another feed")
    head = as_dict(rpc.call("eth_getBlockByNumber", "latest", False))
    decimals = abi.word(_read(rpc, address, "decimals()"))
    return Leaf(
        address=address,
        description=abi.text(_read(rpc, address, "description()"), MOST_LETTERS),
        answer=answer,
        decimals=8 if decimals is None else decimals,
        round=(abi.word(newest) or 0) if is_round else 1,
        updated_at=(abi.word(newest, 3) if is_round else 0) or as_int(head["timestamp"]),
    )


def _leaves(frame: Mapping[str, Json]) -> Iterator[str]:
    below = [leaf for call in as_list(frame.get("calls") or []) for leaf in _leaves(as_dict(call))]
    # A delegate call runs in its caller's place: the caller is the feed.
    asked = as_str(frame.get("input") or "0x")[:10] in _ANSWERS and not frame.get("error")
    if not below and asked and frame.get("type") != "DELEGATECALL":
        yield as_str(frame["to"]).lower()
    yield from below


def _read(rpc: LocalRpc, target: str, signature: str) -> Answer:
    """The answer of a function without arguments; not `ok` where it answers nothing."""
    try:
        said = rpc.text("eth_call", {"to": target, "data": calldata(signature)}, "latest")
    except KeeperError:
        return Answer(False, b"")
    return Answer(True, bytes.fromhex(said[2:]))
