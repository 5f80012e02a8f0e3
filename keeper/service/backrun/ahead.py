"""Decide ahead of a block: plan and journal the liquidations that a pending update makes possible."""

from __future__ import annotations

from keeper.chain.blocks import Head
from keeper.execution import journal
from keeper.policy.choose import Decision
from keeper.service.chain_loop import ChainLoop
from keeper.service.markets import Market
from keeper.service.planning.breach import Breach
from keeper.service.watching import breaches
from keeper.service.watching.selection import NO_ROWS, Rows


def decide_ahead(deciding: ChainLoop, head: Head, wanted: list[Breach]) -> list[int]:
    """Plan and journal the liquidations that a pending update on top of `head` makes possible.

    Each comes with a new episode, which is stored together with its intent. Returns the intents' ids."""
    if deciding.open is None or deciding.halt_reason:
        return []
    fresh = [w for w in wanted if _new(deciding, w)]
    with deciding.store.session() as session:
        given_up = deciding.retries.over_limit(session, fresh, head)
    tried = [each for each in fresh if each not in given_up]
    decisions = deciding.planning.plan(head, deciding.next_timestamp(head), tried)
    made = _write(deciding, head, decisions)
    for each, _ in made:
        known, account = deciding.open[each.market.name], each.valuation.account
        assert each.episode.id is not None
        known.put(account, "liquidate", breaches.OpenEpisode(each.episode.id, each.episode.lowest_health))
        known.foreseen.add(account)
    return [number for _, number in made]


def _write(
    deciding: ChainLoop, head: Head, decisions: list[tuple[Breach, Decision]]
) -> list[tuple[Breach, int]]:
    """Write the episodes and intents of all that can be done, in one transaction."""
    made: list[tuple[Breach, int]] = []
    with deciding.store.session() as session:
        for each, decision in decisions:
            if decision.plan is not None:
                session.add(each.episode)
                session.flush()
                intent = deciding.retries.commit_intent(session, head, each, decision)
                if intent is not None and intent.id is not None:
                    made.append((each, intent.id))
    return made


def liquidatable(deciding: ChainLoop, market: Market) -> Rows:
    """Rows with an open episode of the liquidation threshold."""
    if deciding.open is None:
        return NO_ROWS
    return deciding.open[market.name].rows("liquidate", market.book.rows)


def _new(deciding: ChainLoop, wanted: Breach) -> bool:
    """Whether this account is neither known to be liquidatable yet nor being acted on."""
    assert deciding.open is not None
    if (wanted.valuation.account, "liquidate") in deciding.open[wanted.market.name].known:
        return False
    with deciding.store.session() as session:
        key = (deciding.pool.name, wanted.market.name, wanted.valuation.account, wanted.kind)
        return not journal.has_open(session, *key, deciding.mode)
