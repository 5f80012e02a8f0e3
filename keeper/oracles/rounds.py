"""Reads of feeds: their calls in a block's request, and the rounds in the answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from keeper.chain import abi
from keeper.chain.calls import Answer, Call
from keeper.oracles import shapes
from keeper.oracles.sources import PROXIES, Source

_PHASE = 1 << 64


@dataclass(frozen=True, slots=True)
class Round:
    """A feed's newest answer, in the feed's own decimals, and its time (Unix seconds)."""

    id: int
    answer: int
    updated_at: int

    @property
    def key(self) -> tuple[int, int]:
        """What distinguishes this round from the one before: many feeds keep one id for ever, and only their
        time moves."""
        return self.id, self.updated_at

    @property
    def is_timed(self) -> bool:
        """Whether it has a time: some adapters always give 0."""
        return self.updated_at > 0

    @property
    def name(self) -> str:
        """The id for people: a proxy counts its aggregators as phases above the lowest 64 bits."""
        phase, number = divmod(self.id, _PHASE)
        return f"{number} of phase {phase}" if phase else str(number)


def calls(feeds: Iterable[Source]) -> list[Call]:
    """The calls that `read` decodes: each feed's newest round, and each proxy's aggregator; none for pulled
    feeds, as their markets report their rounds."""
    wanted: list[Call] = []
    for feed in feeds:
        if feed.kind == "pulled":
            continue
        wanted.append(_newest(feed))
        if feed.kind in PROXIES:
            wanted.append(_aggregator(feed))
    return wanted


def _newest(feed: Source) -> Call:
    return abi.call(feed.address, shapes.LATEST)


def _aggregator(feed: Source) -> Call:
    return abi.call(feed.address, "aggregator()")


@dataclass(frozen=True, slots=True)
class FeedRead:
    """A feed at a block: its round (None when reading it reverts) and the contract that logs its answers."""

    round: Round | None
    emitter: str


def read(feeds: Iterable[Source], answers: Mapping[Call, Answer]) -> dict[str, FeedRead]:
    """Each feed's answer, by address."""
    found: dict[str, FeedRead] = {}
    for feed in feeds:
        if feed.kind == "pulled":
            continue
        newest = _round(answers[_newest(feed)])
        emitter = feed.emitter
        if feed.kind in PROXIES:
            emitter = abi.address(answers[_aggregator(feed)]) or emitter
        found[feed.address] = FeedRead(newest, emitter)
    return found


def followed(source: Source, reads: dict[str, FeedRead]) -> Source:
    """The same source with its proxies' present aggregators filled in."""
    inputs = tuple(followed(each, reads) for each in source.inputs)
    mine = reads.get(source.address)
    return replace(source, inputs=inputs, emitter=mine.emitter if mine else source.emitter)


def _round(answer: Answer) -> Round | None:
    if not shapes.is_round(answer):
        return None
    number, price, updated = abi.word(answer, 0), abi.signed(answer, 1), abi.word(answer, 3)
    assert number is not None and price is not None and updated is not None
    return Round(number, price, updated)
