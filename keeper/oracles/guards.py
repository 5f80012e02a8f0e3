"""Guards of a price: what is wrong with it, what the market would pay, and whether it may move an owner's
money. Pure: the same observations give the same verdicts.

Each action has its own guard. A liquidation is paid at the protocol's price, so it only needs a price to
count its profit with. A top-up spends an owner's money, so it needs a second source that agrees, or a new
round of the first. Neither is held because a price fell far, only because nothing confirms it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from keeper.model.money import WAD
from keeper.oracles.rounds import Round
from keeper.oracles.seconds import SecondPrice
from keeper.oracles.sources import Basis

FEEDLESS = "its source names no feed that gives rounds, and no second source confirms it"

FaultKind = Literal[
    "zero",
    "negative",
    "reverting",
    "stale",
    "frozen",
    "out_of_bounds",
    "disagreeing",
    "no_round",
    "second_silent",
    "unresolved",
]


@dataclass(frozen=True, slots=True)
class GuardTerms:
    """The operator's terms for one asset. Prices in base units, `deviation` scaled 1e18."""

    deviation: int
    heartbeat: int | None = None
    min_price: int | None = None
    max_price: int | None = None
    act_unresolved: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """One asset's price at a block. `price` is the protocol oracle's, in base units, None when it reverts;
    `rounds` are the rounds of each feed behind it, by address, None where reading one reverts."""

    price: int | None
    timestamp: int
    rounds: tuple[tuple[str, Round | None], ...]
    resolved: bool = True
    basis: Basis = "feeds"
    second: SecondPrice | None = None
    up_since: int = 0
    """Unix time at which the chain's sequencer came up, if recently; else 0."""


RoundKey = tuple[int, int]
"""What distinguishes a round from the next: its id and its time. Many feeds keep one id for ever."""
NO_ROUND: RoundKey = (-1, -1)


@dataclass(frozen=True, slots=True)
class Memory:
    """What later blocks need of earlier ones.

    `seen` has each feed's round and the block time at which it was first seen; `price` is the protocol's when
    the newest of these rounds came. `disputed` are the rounds with which the second source began to disagree,
    and the price it then disagreed with.
    """

    seen: tuple[tuple[RoundKey, int], ...]
    price: int | None
    disputed: tuple[RoundKey, ...] | None = None
    disputed_price: int = 0

    @property
    def rounds(self) -> tuple[RoundKey, ...]:
        return tuple(each for each, _ in self.seen)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a price, and its words for people."""

    kind: FaultKind
    detail: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What may be done on this price. A liquidation's profit is counted with `market_price`, None where
    nothing is known; `hold` says why a top-up must wait, empty when it need not."""

    faults: tuple[Fault, ...]
    market_price: int | None
    hold: str
    price: int | None = None
    closed: str = ""
    """Why nothing at all may be done for accounts with this asset."""


def remember(seen_now: Observation, before: Memory | None, terms: GuardTerms) -> Memory:
    """The memory after this block. A feed that reverts is remembered with its last round."""
    found: list[tuple[RoundKey, int]] = []
    known = before.seen if before is not None and len(before.seen) == len(seen_now.rounds) else ()
    for index, (_, newest) in enumerate(seen_now.rounds):
        last = known[index] if known else None
        # What is no price is no new round either: the protocol's price then comes from elsewhere.
        newest = newest if newest is not None and newest.answer > 0 else None
        if last is not None and (newest is None or newest.key == last[0]):
            found.append(last)
        else:
            found.append((newest.key if newest else NO_ROUND, seen_now.timestamp))
    rounds = tuple(each for each, _ in found)
    anew = before is None or rounds != before.rounds or before.price is None
    memory = Memory(tuple(found), seen_now.price if anew or before is None else before.price)
    if _disagreement(seen_now, terms) is None:
        return memory
    price = seen_now.price or 0
    if (
        before is not None
        and before.disputed is not None
        and _near(price, before.disputed_price, terms.deviation)
    ):
        return replace(memory, disputed=before.disputed, disputed_price=before.disputed_price)
    return replace(memory, disputed=memory.rounds, disputed_price=price)


def judge(now: Observation, memory: Memory, terms: GuardTerms) -> Judgement:
    """Judge a price; returns the verdict and the memory that already counts this block."""
    unresolved = [] if now.resolved else [Fault("unresolved", "its price source is of no known kind")]
    closed = unresolved[0].detail if unresolved and not terms.act_unresolved else ""
    second = now.second.price if now.second is not None else None
    if not now.price:
        gone = _unpriced(now)
        return Judgement((gone, *unresolved), second, gone.detail, now.price, closed or gone.detail)
    price = now.price
    old = _old(now, memory, terms)
    beyond = _beyond(price, terms)
    jump = _jump(price, now, memory, terms)
    disagree = _disagreement(now, terms)
    silent = Fault("second_silent", now.second.why) if now.second is not None and second is None else None
    faults = (*old, *(each for each in (beyond, jump, disagree, silent) if each), *unresolved)
    market = second
    if second is None and beyond is None and not (silent and old):
        market = price
    agreed = second is not None and disagree is None
    hold = closed or ("" if agreed else _hold(price, (beyond, *old, jump), disagree, memory, terms))
    if not hold and not agreed and now.basis == "nothing" and not terms.act_unresolved:
        hold = FEEDLESS
    return Judgement(faults, market, hold, price, closed)


def _hold(
    price: int, wrong: tuple[Fault | None, ...], disagree: Fault | None, memory: Memory, terms: GuardTerms
) -> str:
    """Why a price that no second source confirms is not enough for a top-up; `wrong`: its own fault."""
    alone = " and no second source confirms it"
    for fault in wrong:
        if fault is not None:
            return fault.detail + alone
    if disagree is None:
        return ""
    confirmed = (
        memory.disputed is not None
        and memory.rounds != memory.disputed
        and _near(price, memory.disputed_price, terms.deviation)
    )
    return "" if confirmed else f"{disagree.detail}; waiting for it to agree or for another round"


def _unpriced(now: Observation) -> Fault:
    """Why the protocol has no price, as far as the feeds show."""
    for address, newest in now.rounds:
        if newest is None:
            return Fault("reverting", f"feed {address} reverts")
        if newest.answer < 0:
            return Fault("negative", f"feed {address} says {newest.answer}")
        if newest.answer == 0:
            return Fault("zero", f"feed {address} says 0")
    if now.price == 0:
        return Fault("zero", "the protocol's oracle says 0")
    return Fault("reverting", "the protocol's oracle reverts")


def _old(now: Observation, memory: Memory, terms: GuardTerms) -> tuple[Fault, ...]:
    """Feeds without a new round since the sequencer came up, or for longer than the heartbeat: by their own
    time, or by ours."""
    faults: list[Fault] = []
    for (address, newest), (_, since) in zip(now.rounds, memory.seen, strict=True):
        # A price without a time has no age that could be judged.
        if newest is None or not newest.is_timed:
            continue
        if newest.updated_at < now.up_since:
            faults.append(Fault("stale", f"feed {address} has no round since the sequencer came up"))
            continue
        if terms.heartbeat is None:
            continue
        age, unchanged = now.timestamp - newest.updated_at, now.timestamp - since
        if age > terms.heartbeat:
            faults.append(Fault("stale", f"feed {address} is {age} s old, its heartbeat {terms.heartbeat} s"))
        elif unchanged > terms.heartbeat:
            faults.append(
                Fault(
                    "frozen",
                    f"feed {address} is in round {newest.name} for {unchanged} s, "
                    f"its heartbeat {terms.heartbeat} s",
                )
            )
    return tuple(faults)


def _beyond(price: int, terms: GuardTerms) -> Fault | None:
    if terms.min_price is not None and price < terms.min_price:
        return Fault("out_of_bounds", f"the price {price} is below min_price {terms.min_price}")
    if terms.max_price is not None and price > terms.max_price:
        return Fault("out_of_bounds", f"the price {price} is above max_price {terms.max_price}")
    return None


def _jump(price: int, now: Observation, memory: Memory, terms: GuardTerms) -> Fault | None:
    """A price that moved although no feed gave a new round: moved by an adapter's ratio or cap, or by whoever
    may set a price that is called fixed. A price that only code can move (`constant`) moved as written."""
    if now.basis in ("constant", "nothing") or not memory.price:
        return None
    if _near(price, memory.price, terms.deviation):
        return None
    return Fault("no_round", f"the price moved from {memory.price} to {price} without a new round")


def _disagreement(now: Observation, terms: GuardTerms) -> Fault | None:
    second = now.second.price if now.second is not None else None
    if not now.price or second is None or _near(now.price, second, terms.deviation):
        return None
    return Fault("disagreeing", f"the second source says {second}, the protocol {now.price}")


def _near(price: int, reference: int, deviation: int) -> bool:
    return abs(price - reference) * WAD <= deviation * reference
