"""From decisions to the journal: whether an attempt may be made now, its intent, or why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlmodel import Session

from keeper.alerts import account_alerts, execution_alerts, market_alerts
from keeper.chain.blocks import Head
from keeper.execution import journal
from keeper.model.plan import REWARDED, Blocked, rivals
from keeper.policy.choose import Decision
from keeper.service.chain_context import ChainContext
from keeper.service.planning import redemptions
from keeper.service.planning.breach import Breach
from keeper.service.planning.costs import losses_of_a_day
from keeper.store.rows import update_row
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import IntentState, Unsent
from keeper.store.tables.watching import Episode
from keeper.store.types import now

log = structlog.get_logger()

# Blocks to wait after the n-th failure in a row: 2, 4, … up to this.
LONGEST_WAIT = 256
DAY = 24 * 3600
# Failures of strangers' work that a market is good for a day, in those of one account.
MARKETS_WORTH = 4
# So many liquidations of one market are planned at a block, the largest accounts', and so many of the others'
# in turn: anybody makes as many accounts as he likes, and what they cost to plan delays everybody's.
LARGEST_PLANNED = 256
IN_TURN = 64


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Decides when attempts may be made on one chain, in the mode of its journal."""

    chain: ChainContext

    def ready(self, session: Session, wanted: Sequence[Breach], head: Head) -> list[Breach]:
        """The breaches that may be attempted now: no attempt open, the last one's outcome read, failures
        waited out; of very many liquidations only some."""
        if not wanted:
            return []
        waiting = journal.open_intents(session, self.chain.name, self.chain.mode)
        busy = {(each.market, each.account, kind) for each in waiting for kind in rivals(each.kind)}
        free = [w for w in wanted if (w.market.name, w.valuation.account, w.kind) not in busy]
        over = self.over_limit(session, free, head)
        for each in over:
            # Whoever makes ours fail again and again, in whichever episode, must not bleed us of gas.
            most = self.chain.settings.policy.max_attempts
            why = f"{most} attempts failed on chain within 24 hours (policy.max_attempts)"
            if each.episode.blocked_reason != why:
                _note_blocked(session, each, Blocked(why))
        left_alone = {each.key for each in over}
        free = bounded([w for w in free if w.key not in left_alone], head.number)
        return [w for w in free if self._waited_out(session, w, head)]

    def over_limit(self, session: Session, wanted: Sequence[Breach], head: Head) -> list[Breach]:
        """The breaches whose accounts made our transactions fail on chain too often within 24 hours, in any
        episode."""
        chain, most = self.chain, self.chain.settings.policy.max_attempts
        since, over = head.timestamp - DAY, list[Breach]()
        for kind in sorted({w.kind for w in wanted} & REWARDED):
            failed = journal.failed_since(session, chain.name, kind, chain.mode, since)
            over += [
                w for w in wanted if w.kind == kind and failed[w.market.name, w.valuation.account] >= most
            ]
            if kind == "settle":
                over += self._baited(wanted, failed, over)
        return over

    def _baited(
        self, wanted: Sequence[Breach], failed: Mapping[tuple[str, str], int], over: Sequence[Breach]
    ) -> list[Breach]:
        """Strangers' work in a market where such work failed on chain too often within 24 hours, for any
        account.

        Accounts cost strangers nothing, and one who creates work and does it first themselves lets us pay the
        gas."""
        most = self.chain.settings.policy.max_attempts * MARKETS_WORTH
        total: Counter[str] = Counter()
        for (market, _), count in failed.items():
            total[market] += count
        return [
            w
            for w in wanted
            if w.upkeep and w.levels.protection is None and w not in over and total[w.market.name] >= most
        ]

    def _waited_out(self, session: Session, wanted: Breach, head: Head) -> bool:
        assert wanted.episode.id is not None
        made = journal.attempts(session, wanted.episode.id, wanted.kind, self.chain.mode)
        if self.chain.mode == "dry":
            return made.count == 0
        if head.timestamp < made.retry_at:
            return False
        if made.last_block is None:
            return True
        wait = min(2**made.failures_in_a_row, LONGEST_WAIT) if made.failures_in_a_row else 0
        return head.number >= made.last_block + wait

    def commit_intent(
        self, session: Session, head: Head, wanted: Breach, decision: Decision
    ) -> Intent | None:
        """Commit the intent that was decided on; without one, note why nothing is done."""
        outcome = decision.outcome
        assert wanted.episode.id is not None
        if isinstance(outcome, Blocked):
            _note_blocked(session, wanted, outcome)
            return None
        if (wanted.episode.blocked_reason, wanted.episode.retry_at) != ("", None):
            update_row(session, wanted.episode, blocked_reason="", retry_at=None)
        if outcome.redeem and self.chain.payer is not None:
            redemptions.expect(session, wanted.market.name, self.chain.payer, outcome.redeem, head.number)
        intent = journal.commit(
            session,
            self.chain.name,
            head,
            outcome,
            wanted.episode.id,
            self.chain.mode,
            health=wanted.valuation.health or 0,
            spend=wanted.market.rate.up(outcome.spend_base),
            gain=wanted.market.rate.down(outcome.gain_base),
        )
        return intent if self._within_cap(session, head, wanted, intent) else None

    def _within_cap(self, session: Session, head: Head, wanted: Breach, intent: Intent) -> bool:
        """Whether the day's limits that all chains share hold with this intent written: another chain may
        have planned against them meanwhile. If not, the intent written last is given up."""
        why = self._used_up(session, head.timestamp - DAY, wanted, intent)
        if not why:
            return True
        journal.move_intent(session, intent, IntentState.REFUSED, head.number, why, unsent=Unsent.LIMIT)
        execution_alerts.not_sent(session, intent, Unsent.LIMIT, why)
        log.warning("cap used up", market=intent.market, account=intent.account, intent=intent.id, why=why)
        return False

    def _used_up(self, session: Session, since: int, wanted: Breach, intent: Intent) -> str:
        """Which limit this intent exceeds; empty for none."""
        protection, mode, whose = wanted.levels.protection, self.chain.mode, self.chain.policies.owner
        if protection is not None:
            owner = whose(intent.market, intent.account)
            spent = journal.spent_for_owner(session, owner, whose, mode, since)
            if spent > protection.max_spend_per_owner_day:
                return "the owner's cap of the day was used up on another chain meanwhile"
        most = losses_of_a_day(self.chain.settings.policy)
        if intent.loss and journal.lost_since(session, mode, since) > most:
            return "what bad debt may cost in a day was used up on another chain meanwhile"
        return ""


def _note_blocked(session: Session, wanted: Breach, outcome: Blocked) -> None:
    """Write with the episode that nothing can be done, and alert once."""
    episode: Episode = wanted.episode
    if (episode.blocked_reason, episode.retry_at) != (outcome.reason, outcome.retry_at):
        update_row(session, episode, blocked_reason=outcome.reason, retry_at=outcome.retry_at)
    if wanted.chore is not None:
        what, day = wanted.chore.name, now().date().isoformat()
        market_alerts.undone(session, wanted.market.name, episode.opened_block, day, what, outcome.reason)
    if wanted.sale or wanted.kind == "settle":
        return  # Nobody is in danger where something is left unbought, or undone.
    account_alerts.cannot_act(session, episode, wanted.kind, protected=wanted.levels.protection is not None)
    log.info(
        "no action",
        market=wanted.market.name,
        account=wanted.valuation.account,
        why=outcome.reason,
        retry_at=outcome.retry_at,
    )


def bounded(wanted: Sequence[Breach], block: int) -> list[Breach]:
    """All top-ups, the liquidations of the largest accounts, and some of the others, in turn."""
    liquidations = [w for w in wanted if w.kind == "liquidate"]
    if len(liquidations) <= LARGEST_PLANNED + IN_TURN:
        return list(wanted)
    by_size = sorted(liquidations, key=_size, reverse=True)
    first, rest = by_size[:LARGEST_PLANNED], by_size[LARGEST_PLANNED:]
    turn = block * IN_TURN % len(rest)
    return [*(w for w in wanted if w.kind != "liquidate"), *first, *[*rest, *rest][turn : turn + IN_TURN]]


def _size(wanted: Breach) -> int:
    valuation = wanted.valuation
    # What is owed, as far as there is anything to pay it with.
    return wanted.market.rate.down(valuation.maintenance + min(valuation.net, 0))
