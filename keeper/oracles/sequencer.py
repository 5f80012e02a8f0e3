"""A rollup's sequencer: while it is down no price is new, and earlier prices say nothing afterwards.

Chainlink's uptime feeds answer 0 while it is up and 1 while it is down; `startedAt` is when that began
(docs.chain.link, "L2 sequencer uptime feeds").
"""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain import abi
from keeper.chain.calls import Answer, Call
from keeper.oracles import shapes

UP = 0


@dataclass(frozen=True, slots=True)
class Sequencer:
    """`up_since` is the Unix time from which it has been up; `complaint` why nothing may be done now."""

    up_since: int = 0
    complaint: str = ""


def calls(feed: str | None) -> list[Call]:
    """The calls that `read` decodes; none where no feed is configured."""
    return [] if feed is None else [abi.call(feed, shapes.LATEST)]


def read(feed: str, answer: Answer) -> Sequencer:
    status, since = abi.signed(answer, 1), abi.word(answer, 2)
    if not shapes.is_round(answer) or status is None or not since:
        return Sequencer(complaint=f"the sequencer feed {feed} does not say whether the sequencer is up")
    if status != UP:
        return Sequencer(complaint=f"the sequencer has been down since Unix time {since}")
    return Sequencer(up_since=since)
