"""Many contract reads in one `eth_call` at one block, through contracts that are never deployed.

The dispatcher (`contracts/src/Batch.sol`) and any lens are put into the call by state override; at a node
that accepts none, they go as initcode (`contracts/src/BatchOnce.sol`). The answer names its block, so that a
node's answer for another block is detected. Where the head has a prelude, prices are brought in the same call
before anything is read, and `OUTCOMES` reports what became of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.answers import BusyError, CannotError, RevertError, WrongStateError
from keeper.chain.blocks import Head
from keeper.chain.head import PreludeCall
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.contracts import artifact, runtime_code

log = structlog.get_logger()

BATCH_ADDRESS = "0x00000000000000000000000000000000ba7c0001"
SPARE = 0xBA7C << 144
_RUN = function_signature_to_4byte_selector("run((address,uint256,bytes)[])")
_RUN_BEHIND = function_signature_to_4byte_selector(
    "runBehind((address,uint256,bytes)[],(address,bytes)[],(address,uint256,bytes)[])"
)
# What the dispatcher can pay fees of a prelude with: more than any asks for that is worth its price.
_PURSE = 10**24
# More than any node grants: most cap it at their own limit; what others take is found (`Node.most_gas`).
GAS = 2_000_000_000
# What one read of a contract may use: many times what an account over all of a market's reserves takes.
CALL_GAS = 10_000_000
ALL_GAS = 0
# EIP-3860: larger initcode is not run.
_MOST_INITCODE = 49_152


@dataclass(frozen=True, slots=True)
class Call:
    """A read: a contract and its calldata. `gas` is its limit, so that no contract takes the gas of the reads
    after it; such an answer is at most 16 KiB long. ALL_GAS: nearly all that is left, for our own code only.
    `behind`: read behind the head's prelude, where there is one; all others before it."""

    target: str
    data: bytes
    gas: int = CALL_GAS
    behind: bool = False


OUTCOMES = Call(BATCH_ADDRESS, b"", ALL_GAS, behind=True)
"""A read of what became of a head's prelude, each of its calls in order: see `outcomes`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call; `ok` False is a revert, with the revert data in `data`. `starved`: it failed
    because the calls before it had taken the gas; asked first, it may be answered."""

    ok: bool
    data: bytes
    starved: bool = False


Answered = tuple[int, int, list[Answer]]
"""The block's number and Unix time, and an answer to each call."""


@dataclass(frozen=True, slots=True)
class PreludeOutcome:
    """What became of a call of the prelude: the wei that it asked for, and its revert data."""

    ok: bool
    fee: int
    reverted: bytes


def outcomes(answer: Answer) -> list[PreludeOutcome]:
    """Decode the answer to `OUTCOMES`."""
    try:
        [found] = decode(["(bool,uint256,bytes)[]"], answer.data)
    except DecodingError:
        return []
    return [PreludeOutcome(*each) for each in found]


@dataclass(frozen=True, slots=True)
class Lens:
    """A contract that is only ever called by state override: its address and runtime code (0x hex)."""

    address: str
    code: str
    in_place: bool = False
    """Laid over an existing contract, whose storage it reads and whose own code is then at the `spare_of`
    address. Initcode cannot do that."""


def answers_to(
    pool: NodePool, head: Head, calls: Sequence[Call], lenses: Iterable[Lens] = ()
) -> dict[Call, Answer]:
    """As `run`, with each answer keyed by its call."""
    asked = list(dict.fromkeys(calls))
    return dict(zip(asked, run(pool, head, asked, lenses), strict=True))


class Reads:
    """Known reads of the state of `head`: what was answered for any purpose is not asked again."""

    def __init__(self, pool: NodePool, head: Head) -> None:
        self.head = head
        self._pool = pool
        self._known: dict[Call, Answer] = {}

    def learn(self, answers: Mapping[Call, Answer]) -> None:
        """Add answers from this very block."""
        self._known.update(answers)

    def known(self, wanted: Iterable[Call]) -> bool:
        """Whether all of `wanted` is answered already."""
        return all(call in self._known for call in wanted)

    def answers_to(self, wanted: Sequence[Call], lenses: Iterable[Lens] = ()) -> Mapping[Call, Answer]:
        """All known answers by call, after one request for those of `wanted` that are not known yet."""
        unknown = [call for call in wanted if call not in self._known]
        self._known.update(answers_to(self._pool, self.head, unknown, lenses))
        return self._known


def run(pool: NodePool, head: Head, calls: Sequence[Call], lenses: Iterable[Lens] = ()) -> list[Answer]:
    """Make all `calls` in one request, or more where the nodes grant less, pinned to the head's hash.

    WrongStateError if every node answered for another block.
    """
    if not calls:
        return []
    placed = tuple(lenses)
    try:
        answers = list[Answer](pool.call_by(lambda node: _ask(node, head, calls, placed)))
    except (CannotError, RevertError) as error:
        # The dispatcher itself never reverts: it ran out of gas.
        if len(calls) == 1 or (isinstance(error, CannotError) and not error.refused):
            raise
        middle = len(calls) // 2
        return [*run(pool, head, calls[:middle], placed), *run(pool, head, calls[middle:], placed)]
    starved = [place for place, answer in enumerate(answers) if answer.starved]
    for place, again in zip(starved, run(pool, head, [calls[p] for p in starved], placed), strict=True):
        answers[place] = again
    return answers


def _ask(node: Node, head: Head, calls: Sequence[Call], lenses: Sequence[Lens]) -> list[Answer]:
    """One node's answers for exactly this block."""
    number, timestamp, found = _answered(node, head, calls, lenses)
    made = dict(zip(arranged(calls, head.prelude), found, strict=True))
    answers = [made[place] for place in range(len(calls))]
    if (number, timestamp) != (head.number, head.timestamp):
        raise WrongStateError(
            f"answered a read of block {head.number} with the state of block {number}", where=node.label
        )
    return answers


def _answered(node: Node, head: Head, calls: Sequence[Call], lenses: Sequence[Lens]) -> Answered:
    """Answers by state override where the node accepts them; else as initcode, and from then on so."""
    if node.overrides:
        try:
            # Empty may be a passing trouble: only an answer that is empty twice says something.
            answer = _by_override(node, head, calls, lenses) or _by_override(node, head, calls, lenses)
        except CannotError as error:
            if error.about != "overrides":
                raise
        else:
            if answer:
                return decoded(answer, node.label)
        # Empty: the override was ignored, and there is no code at that address.
        found = _by_initcode(node, head, calls, lenses)
        node.overrides = False
        log.warning("no state overrides", node=node.label, instead="initcode")
        return found
    return _by_initcode(node, head, calls, lenses)


def _by_override(node: Node, head: Head, calls: Sequence[Call], lenses: Sequence[Lens]) -> bytes:
    call, overrides = behind(calls, lenses, node.code, head.prelude)
    result = node.call("eth_call", [{**call, "gas": hex(GAS)}, {"blockHash": head.hash}, overrides])
    return bytes.fromhex(str(result).removeprefix("0x"))


def behind(
    calls: Sequence[Call],
    lenses: Iterable[Lens],
    code_at: Callable[[str], str],
    prelude: Sequence[PreludeCall] = (),
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """`calls` as one call of a simulation, with the prelude where any is behind it, and the state overrides
    it needs; `code_at` answers the code of a contract that a lens is laid over. The answers come in the order
    of `arranged`."""
    overrides = {BATCH_ADDRESS: {"code": runtime_code("Batch")}}
    prelude = prelude if any(call.behind for call in calls) else ()
    if prelude:
        overrides[BATCH_ADDRESS]["balance"] = hex(_PURSE)
    for lens in lenses:
        overrides[lens.address] = {"code": lens.code}
        if lens.in_place:
            overrides[spare_of(lens.address)] = {"code": code_at(lens.address)}
    return {"to": BATCH_ADDRESS, "data": "0x" + _calldata(calls, prelude).hex()}, overrides


def spare_of(address: str) -> str:
    """The unused address beside a contract, computed as in `contracts/src/lens/InPlace.sol`."""
    return f"0x{int(address, 16) ^ SPARE:040x}"


def _calldata(calls: Sequence[Call], prelude: Sequence[PreludeCall]) -> bytes:
    if not prelude:
        return _RUN + (32).to_bytes(32, "big") + _array(calls)
    # One argument alone is encoded as where it stands, and itself.
    updates = encode(["(address,bytes)[]"], [[(each.target, each.data) for each in prelude]])[32:]
    plain = _array([call for call in calls if not call.behind])
    places = (96, 96 + len(plain), 96 + len(plain) + len(updates))
    after = _array([call for call in calls if call.behind])
    return _RUN_BEHIND + b"".join(each.to_bytes(32, "big") for each in places) + plain + updates + after


def arranged(calls: Sequence[Call], prelude: Sequence[PreludeCall]) -> list[int]:
    """Indices of the calls in the order in which they are made: first those before the prelude."""
    places = range(len(calls))
    return sorted(places, key=lambda place: calls[place].behind) if prelude else list(places)


def _array(calls: Sequence[Call]) -> bytes:
    """(address, uint256, bytes)[] by hand, as it is made at every tick."""
    places, tails = [], []
    place = 32 * len(calls)
    for call in calls:
        padding = bytes(-len(call.data) % 32)
        tail = b"".join(
            (
                # Whatever is no whole address is nobody's: it has no code, and is not ok.
                bytes.fromhex(call.target[2:])[-20:].rjust(32, b"\0"),
                call.gas.to_bytes(32, "big"),
                (96).to_bytes(32, "big"),
                len(call.data).to_bytes(32, "big"),
                call.data,
                padding,
            )
        )
        places.append(place.to_bytes(32, "big"))
        tails.append(tail)
        place += len(tail)
    return len(calls).to_bytes(32, "big") + b"".join(places) + b"".join(tails)


def _by_initcode(node: Node, head: Head, calls: Sequence[Call], lenses: Sequence[Lens]) -> Answered:
    used = [lens for lens in lenses if any(call.target == lens.address for call in calls)]
    is_behind = bool(head.prelude) and any(call.behind for call in calls)
    if is_behind or any(lens.in_place for lens in used):
        raise CannotError(
            "takes no state overrides: what a market keeps in its storage, and what is behind prices that "
            "are brought, is read by them only",
            where=node.label,
            about="method",
        )
    arguments = encode(
        ["address[]", "bytes[]", "(address,uint256,bytes)[]"],
        [
            [lens.address for lens in used],
            [bytes.fromhex(lens.code.removeprefix("0x")) for lens in used],
            [(c.target, c.gas, c.data) for c in calls],
        ],
    )
    code = str(artifact("BatchOnce")["bytecode"]) + arguments.hex()
    if len(code) // 2 > _MOST_INITCODE:
        raise CannotError(
            "takes no state overrides, and initcode only to 48 KiB", where=node.label, about="size"
        )
    try:
        node.call("eth_call", [{"data": code, "gas": hex(GAS)}, {"blockHash": head.hash}])
    except RevertError as error:
        if error.data is None or len(error.data) <= 2 + 64 * 3:
            raise
        return decoded(bytes.fromhex(error.data.removeprefix("0x")), node.label)
    raise WrongStateError("ran initcode that always reverts as if it did not", where=node.label)


def decoded(answer: bytes, label: str) -> Answered:
    """Decode the return data of a dispatcher call; NodeError for incomplete bytes. The type (uint256,
    uint256, (bool, bool, bytes)[]) is read by hand: it is the same at every tick, and long."""

    def word(at: int) -> int:
        if at + 32 > len(answer):
            raise BusyError(
                f"answered a read with {len(answer)} bytes that are not whole", where=label, refused=True
            )
        return int.from_bytes(answer[at : at + 32], "big")

    number, timestamp, place = word(0), word(32), word(64)
    start = place + 32
    answers = []
    for index in range(word(place)):
        at = start + word(start + 32 * index)
        length = word(at + 96)
        # Bytes are padded to whole words; the last of them must be there.
        word(at + 96 + (length + 31) // 32 * 32)
        answers.append(Answer(bool(word(at)), answer[at + 128 : at + 128 + length], bool(word(at + 32))))
    return number, timestamp, answers
