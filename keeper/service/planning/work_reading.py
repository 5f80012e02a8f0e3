"""Reads for the work that accounts need: what their protocol asks for, and prices of a certain time, which
are fetched where nobody has brought them, and tried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keeper.chain.answers import RpcError
from keeper.chain.calls import OUTCOMES, Answer, Call, Reads, run
from keeper.chain.head import Head
from keeper.chain.node import NodeError
from keeper.chain.pool import NodePool
from keeper.model.price_update import PriceUpdate
from keeper.oracles.pull.hermes import NotServedError, PriceServiceError
from keeper.oracles.pull.trial import became, prelude
from keeper.service.planning.breach import Breach

# So many prices are fetched at a block, those of whom we protect first: each is a request, and strangers
# decide how many orders there are.
MOST_FETCHED = 4
_LATER = "the price that its order is settled at is fetched at a later block"
Benchmarks = Mapping[tuple[str, str], PriceUpdate | str]
"""By market and account: the price that its work needs, ready to be brought, or why there is none."""


@dataclass(frozen=True, slots=True)
class WorkReads:
    """Answers by the call that asked, as they are behind those prices."""

    answers: Mapping[Call, Answer]
    benchmarks: Benchmarks


def read_work(pool: NodePool, reads: Reads, due: Sequence[Breach]) -> WorkReads:
    """Read in one request what all work needs, and in another what needs a price that nobody has brought."""
    working = [each for each in due if each.upkeep]
    calls = {each.key: _calls(each) for each in working}
    lenses = tuple(dict.fromkeys(lens for each in working for lens in each.market.adapter.mirror.lenses()))
    answers = dict(reads.answers_to([call for some in calls.values() for call in some], lenses))
    benchmarks: dict[tuple[str, str], PriceUpdate | str] = {}
    fetched: list[tuple[Breach, PriceUpdate]] = []
    asked_for = 0
    for each in sorted(working, key=lambda each: each.levels.protection is None):
        found, did_ask = _fetched(each, answers, reads.head.timestamp, may_ask=asked_for < MOST_FETCHED)
        asked_for += did_ask
        if isinstance(found, PriceUpdate):
            fetched.append((each, found))
        elif found:
            benchmarks[each.market.name, each.valuation.account] = found
    if not fetched:
        return WorkReads(answers, benchmarks)
    updates = list(dict.fromkeys(update for _, update in fetched))
    behind = _behind(reads.head, updates)
    asked = [call for each, _ in fetched for call in calls[each.key]]
    try:
        outcome, *again = run(
            pool, behind, [OUTCOMES, *(replace(call, behind=True) for call in asked)], lenses
        )
    except (NodeError, RpcError) as error:
        # Nobody else's plans hang on it.
        why = f"the price that its order is settled at could not be tried out: {error}"
        return WorkReads(
            answers, benchmarks | {(e.market.name, e.valuation.account): why for e, _ in fetched}
        )
    answers |= dict(zip(asked, again, strict=True))
    taken = {(tried.update.oracle, tried.update.data): tried for tried in became(updates, behind, outcome)}
    for each, update in fetched:
        tried = taken.get((update.oracle, update.data))
        told: PriceUpdate | str
        if tried is None or tried.reverted is not None:
            told = f"the price that its order is settled at is refused by the oracle {update.oracle}"
            if each.market.pulled is not None:
                each.market.pulled.service.forget(update)
        else:
            told = tried.update
        benchmarks[each.market.name, each.valuation.account] = told
    return WorkReads(answers, benchmarks)


def _calls(breach: Breach) -> list[Call]:
    upkeep = breach.market.adapter.upkeep
    assert upkeep is not None, "the work comes from where there is some"
    return upkeep.work_calls(breach.market.book.state, breach.valuation.account)


def _fetched(
    breach: Breach, answers: Mapping[Call, Answer], now: int, *, may_ask: bool
) -> tuple[PriceUpdate | str | None, bool]:
    """The price that the work needs and that is not on chain, or why it cannot be had (None where none is
    needed, or nobody is named who signs any), and whether it was asked for."""
    market, account = breach.market, breach.valuation.account
    upkeep = market.adapter.upkeep
    assert upkeep is not None, "the work comes from where there is some"
    raw = market.book.accounts[account]
    wanted = upkeep.wanted_benchmark(market.book.state, account, raw, answers)
    if wanted is None or market.pulled is None:
        return None, False
    service = market.pulled.service
    known = service.knows([wanted.id], wanted.at)
    if not known and not may_ask:
        return _LATER, False
    try:
        return service.benchmark(wanted.oracle, [wanted.id], wanted.at, now), not known
    except NotServedError:
        return "the price that its order is settled at has not been published yet", True
    except PriceServiceError as error:
        return f"the price that its order is settled at cannot be had: {error.what}", True


def _behind(head: Head, updates: Sequence[PriceUpdate]) -> Head:
    return replace(head, prelude=tuple(dict.fromkeys([*head.prelude, *prelude(updates)])))
