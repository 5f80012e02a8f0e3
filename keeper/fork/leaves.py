"""Which feeds a price comes from, found by watching the chain compute it: no adapter needs to be known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keeper.errors import KeeperError
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, LocalRpc, as_dict, as_int, as_list, as_str

# As Aave, Compound and the trove systems ask, and as Morpho Blue does.
_QUESTIONS = ("latestAnswer()", "latestRoundData()", "price()", "fetchPrice()")
_ANSWERS = ("0x50d25bcd", "0xfeaf968c")  # latestAnswer(), latestRoundData()


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
    """The feeds (lower case) that a price source asks, whichever way it is asked, and that ask no further."""
    found: list[str] = []
    for question in _QUESTIONS:
        call: Json = {"to": source, "data": calldata(question)}
        found += _leaves(as_dict(rpc.call("debug_traceCall", call, "latest", {"tracer": "callTracer"})))
    return tuple(dict.fromkeys(found))


def read_leaf(rpc: LocalRpc, address: str) -> Leaf:
    """What the feed answers now; KeeperError when it answers no price."""
    answer = _word(rpc, address, "latestAnswer()")
    round_data = _words(rpc, address, "latestRoundData()")
    if answer is None and len(round_data) < 5:
        raise KeeperError("answers no price", where=f"feed {address}", remedy="Name another feed")
    number, said, _, updated, _ = round_data[:5] if len(round_data) >= 5 else [1, answer or 0, 0, 0, 1]
    price = answer if answer is not None else said
    latest = as_dict(rpc.call("eth_getBlockByNumber", "latest", False))
    decimals = _word(rpc, address, "decimals()")
    return Leaf(
        address=address,
        description=_text(rpc, address),
        answer=price - 2**256 if price >= 2**255 else price,
        decimals=8 if decimals is None else decimals,
        round=number,
        updated_at=updated or as_int(latest["timestamp"]),
    )


def _leaves(frame: Mapping[str, Json]) -> Iterator[str]:
    below = [leaf for call in as_list(frame.get("calls") or []) for leaf in _leaves(as_dict(call))]
    # A delegate call runs in its caller's place: the caller is the feed.
    if not below and _is_feed(frame) and frame.get("type") != "DELEGATECALL":
        yield as_str(frame["to"]).lower()
    yield from below


def _is_feed(frame: Mapping[str, Json]) -> bool:
    return as_str(frame.get("input") or "0x")[:10] in _ANSWERS and not frame.get("error")


def _words(rpc: LocalRpc, target: str, signature: str) -> list[int]:
    try:
        data = as_str(rpc.call("eth_call", {"to": target, "data": calldata(signature)}, "latest"))[2:]
    except KeeperError:
        return []
    return [int(data[at : at + 64], 16) for at in range(0, len(data), 64)]


def _word(rpc: LocalRpc, target: str, signature: str) -> int | None:
    words = _words(rpc, target, signature)
    return words[0] if words else None


def _text(rpc: LocalRpc, target: str) -> str:
    words = _words(rpc, target, "description()")
    if len(words) < 3:
        return ""
    raw = b"".join(word.to_bytes(32, "big") for word in words[2:])[: words[1]]
    return "".join(c for c in raw.decode("utf-8", "replace") if c.isprintable())[:80]
