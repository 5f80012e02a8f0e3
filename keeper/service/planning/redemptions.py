"""Redemptions: claims taken in liquidations (a pool had nothing to pay out) are redeemed once the pool can
pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog
from sqlmodel import Session

from keeper.chain.blocks import Head
from keeper.chain.calls import answers_to
from keeper.errors import KeeperError, UnreachableError
from keeper.execution import journal
from keeper.model.plan import Blocked
from keeper.service.chain_context import ChainContext
from keeper.service.markets import Market
from keeper.service.planning.breach import open_episodes
from keeper.service.planning.costs import costs_of
from keeper.service.planning.gas_money import gas_price
from keeper.store.tables.watching import Episode

log = structlog.get_logger()

# The signer's own episode: opened with a liquidation that brings claims, closed when none are left.
THRESHOLD = "redeem"
# Seconds of the chain's between two looks: redeeming has no hurry, and each attempt costs gas.
EVERY_SECONDS = 60


def expect(session: Session, market: str, owner: str, asset: str, block: int) -> None:
    """Open an episode: a planned liquidation may bring claims on `asset` to `owner`."""
    account, known = owner.lower(), open_episodes(session, market, THRESHOLD)
    if all((each.account, each.asset) != (account, asset) for each in known):
        session.add(Episode.begin(market, account, THRESHOLD, block, asset=asset))
        session.flush()


def redeem(chain: ChainContext, head: Head, markets: Sequence[Market]) -> None:
    """Plan a redemption for the payer's claims of each open episode; close those whose claims are gone."""
    if chain.payer is None:
        return
    for market in markets:
        with chain.store.session() as session:
            waiting = open_episodes(session, market.name, THRESHOLD)
        for episode in waiting:
            if not due(episode, head):
                continue
            try:
                _redeem(chain, head, markets, market, episode, chain.payer)
            except UnreachableError:
                raise
            except KeeperError as error:
                # One market's trouble holds up no other's claims.
                log.warning("not redeemed", market=market.name, asset=episode.asset, error=str(error))


def due(episode: Episode, head: Head) -> bool:
    """Whether to look for claims at `head`: by the chain's time since the last look, as the daemon may meet
    no particular block number."""
    return episode.looked_at is None or not 0 <= head.timestamp - episode.looked_at < EVERY_SECONDS


def _redeem(
    chain: ChainContext, head: Head, markets: Sequence[Market], market: Market, episode: Episode, owner: str
) -> None:
    pool = chain.pool
    state, adapter, redeemer = market.book.state, market.adapter, market.adapter.redeemer
    assert redeemer is not None, "claims come from where they can be redeemed"
    holding = redeemer.claim_reads(state, episode.asset, owner)
    answers = answers_to(pool, head, [*holding, *adapter.planner.planning_calls(state, [], owner)])
    purse = adapter.planner.read_planning(state, [], owner, answers)
    costs = costs_of(chain.settings, markets, {market.name: purse}, gas_price(pool, head.base_fee))
    outcome = redeemer.plan_redemption(state, episode.asset, owner, answers)
    with chain.store.session() as session:
        row = session.merge(episode)
        row.looked_at = head.timestamp
        if journal.has_open(session, chain.name, market.name, owner.lower(), THRESHOLD, "live"):
            return
        if outcome is None:
            if not _liquidating(session, pool.name):
                row.closed_block = head.number
        elif isinstance(outcome, Blocked):
            row.blocked_reason, row.retry_at = outcome.reason, outcome.retry_at
        elif costs.unknown:
            row.blocked_reason = "nothing tells what gas costs"
        elif market.rate.down(outcome.gain_base) <= costs.money(outcome.gas):
            row.blocked_reason = "what the pool can pay out is worth less than the gas"
        else:
            row.blocked_reason, row.retry_at = "", None
            worth = market.rate.down(outcome.gain_base)
            assert row.id is not None
            plan = replace(outcome, account=row.account, gas_budget=costs.gas_budget(worth))
            journal.commit(session, chain.name, head, plan, row.id, "live")


def _liquidating(session: Session, chain: str) -> bool:
    """Whether claims may still be on their way."""
    return any(intent.kind == "liquidate" for intent in journal.open_intents(session, chain, "live"))
