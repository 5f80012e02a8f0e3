"""The acting loop of one chain: from the journal to the chain and back, one round after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import structlog

from keeper.chain.answers import CannotError, NodeError, RpcError
from keeper.chain.backrun import Backrun, PendingUpdate
from keeper.chain.blocks import Head
from keeper.chain.fees import TooDearError
from keeper.chain.pool import NodePool
from keeper.chain.relay import Relay
from keeper.chain.signer import Signing
from keeper.errors import KeeperError, UnreachableError
from keeper.execution import allowances, backrun, follow, journal, queue, settlement, transactions
from keeper.execution.batch_rehearsal import BatchRehearsal, Planned, groups, rehearse_together
from keeper.execution.commitment import sign_and_commit
from keeper.execution.in_flight import InFlight
from keeper.execution.journal import Mode
from keeper.execution.lease import KeyLease, LostLeaseError
from keeper.execution.limits import Limits
from keeper.execution.pause_file import paused
from keeper.execution.queue import Queue
from keeper.execution.rehearsal import Action, Rehearsal, is_needless, rehearse
from keeper.execution.sender import ExecutionEvents, GasQuote, Sender
from keeper.execution.signatures import NotSignedError
from keeper.execution.submission import send
from keeper.model.plan import Plan
from keeper.store.database import Store
from keeper.store.tables.journal import Intent
from keeper.store.tables.states import IntentState, Unsent

log = structlog.get_logger()


class ExecutionLoop:
    """Carries the open intents of one chain forward. `payer` is the address that acts; only a signer of that
    address makes transactions, and only in live mode. `standby_reason` says why nothing is sent now."""

    def __init__(
        self,
        pool: NodePool,
        store: Store,
        limits: Limits,
        payer: str,
        signer: Signing | None,
        tell: ExecutionEvents,
        relay: Relay | None = None,
        pause_file: Path | None = None,
        lease: KeyLease | None = None,
        fitting: Callable[[], Limits] | None = None,
    ) -> None:
        self.pool = pool
        self.store = store
        self.limits = limits
        self.payer = payer
        self.tell = tell
        self.mode: Mode = "live" if signer else "dry"
        self.sender: Sender | None = None
        if signer is not None:
            held = lease or KeyLease(store, f"{pool.name}:{payer}")
            self.sender = Sender(pool, store, limits, payer, signer, held, tell, relay, pause_file)
        self._fitting = fitting
        self.standby_reason = ""
        self.leading = True
        self._counted = 0
        self._idle = False
        self._looked: Head | None = None
        self._silence: NodeError | None = None
        self._heard = False

    def fit(self) -> None:
        """Ask the chain, once, which ceilings fit it; until it answers, those of a calm chain hold."""
        if self._fitting is None:
            return
        try:
            self.limits = self._fitting()
        except UnreachableError:
            raise
        except KeeperError as error:
            log.warning("ceilings unknown", chain=self.pool.name, error=str(error))
            return
        self._fitting = None
        if self.sender is not None:
            self.sender = replace(self.sender, limits=self.limits)

    def settle(self, head: Head) -> None:
        """Follow sent transactions and end the intents that the chain has decided, before the deciding loop
        runs."""
        self.fit()
        if self.sender is None or not self._leads(self.sender):
            return
        before = self._looked
        continuous = before is not None and before.hash in (head.parent, head.hash)
        # With nothing under way there is nothing to settle: the look at the key's nonce can wait until after
        # what this block asks for was sent.
        self._idle = self._nothing_under_way()
        if not self._idle:
            self._counted = follow.look(self.sender, head, continuous=continuous)
            self._looked = head
            settlement.settle(self.sender, head)

    def carry(self, head: Head, next_timestamp: int) -> None:
        """Care for transactions in flight; rehearse, sign and send planned intents."""
        self.fit()
        if self.sender is None:
            self._rehearse_dry(head, next_timestamp)
            return
        if not self._leads(self.sender):
            return
        if not self._idle and self._looked != head:
            # No node could tell before deciding: nothing is signed until the chain has said what it did.
            self.settle(head)
        self._carry(self.sender, head, next_timestamp)
        if self.standby_reason:
            return
        allowances.take_back(self.sender, head)
        if self._idle and self._looked != head:
            # Whatever was sent just now is in a later block than this: only others can have used the key.
            follow.count(self.sender, head)
            self._looked = head

    def _nothing_under_way(self) -> bool:
        """Whether no intent is open and no transaction may still be decided by the chain."""
        with self.store.session() as session:
            if journal.any_open(session, self.pool.name, self.mode):
                return False
            return not transactions.any_undecided(session, self.pool.name, self.payer)

    def _carry(self, sender: Sender, head: Head, next_timestamp: int) -> None:
        tending, flying = InFlight(sender, head, next_timestamp), 0
        if not self._idle:
            if self._paused(sender):
                return
            tending.all(self._counted)
            with self.store.session() as session:
                flying = len(transactions.unmined(session, self.pool.name, self.payer))
        now = self._turns(head, sender.pause_file, next_timestamp)
        self.standby_reason = now.paused
        if now.paused:
            return
        self._end_all(now, head)
        if not now.waiting or flying >= self.limits.max_in_flight:
            return
        bid = sender.ask_quote()
        self._silence, self._heard = None, False
        for group in groups(now.waiting, head.gas_limit):
            if flying >= self.limits.max_in_flight:
                break
            sent = self._carry_all(sender, group, head, next_timestamp, tending.ahead, bid)
            tending.ahead.extend(sent)
            flying += len(sent)
        self._must_have_heard()

    def _must_have_heard(self) -> None:
        """Raise NodeError where no rehearsal of this round was answered: then no node is reachable."""
        if self._silence is not None and not self._heard:
            raise self._silence

    @property
    def can_bundle(self) -> bool:
        """Whether there is a signer and a relay, and the last round found nothing against sending."""
        return self.sender is not None and self.sender.relay is not None and not self.standby_reason

    def bundle_behind(
        self, numbers: Sequence[int], update: PendingUpdate, adapter: Backrun, head: Head, next_timestamp: int
    ) -> bool:
        """Bundle planned intents (ids) behind an update that is in no block yet; False where they must wait
        for the block."""
        if self.sender is None or not self._leads(self.sender) or self._paused(self.sender):
            return False
        with self.store.session() as session:
            found = [session.get_one(Intent, number) for number in numbers]
        return backrun.bundle_behind(self.sender, found, update, adapter, head, next_timestamp)

    def release(self) -> None:
        """Let a standby take over at once."""
        if self.sender is not None:
            self.sender.lease.release()

    def _leads(self, sender: Sender) -> bool:
        other = sender.lease.holds()
        if other and other != self.standby_reason:
            log.warning("stands back", chain=sender.chain, why=other)
        self.standby_reason, self.leading = other, not other
        return not other

    def _paused(self, sender: Sender) -> bool:
        with sender.store.session() as session:
            self.standby_reason = paused(session, sender.pause_file)
        return bool(self.standby_reason)

    def _turns(self, head: Head, pause_file: Path | None, next_timestamp: int) -> Queue:
        with self.store.session() as session:
            return queue.look(
                session, self.pool.name, self.mode, self.limits, head, pause_file, next_timestamp
            )

    def _end_all(self, now: Queue, head: Head) -> None:
        for over in now.over:
            self._end(over.intent, over.state, head, over.why, over.unsent)

    def _carry_all(
        self,
        sender: Sender,
        group: list[Planned],
        head: Head,
        next_timestamp: int,
        ahead: list[Action],
        bid: Future[GasQuote],
    ) -> list[Action]:
        """Send a group in one transaction, or each of it alone; the actions that were sent."""
        sent: list[Action] = []
        if len(group) > 1:
            try:
                found = rehearse_together(self.pool, self.payer, group, ahead, next_timestamp)
                self._heard = True
            except (RpcError, NodeError) as error:
                # A simulation of many items is what a node is busy with first: each alone may be answered.
                found = BatchRehearsal(fallback_reason=error.what)
            if found.fallback_reason:
                log.info("no batch", chain=self.pool.name, why=found.fallback_reason)
            for each, problem in found.failed:
                self._turned_down(each.intent, problem, head)
            ended = {each.intent.id for each, _ in found.failed}
            if found.carried:
                sent = self._send(sender, found.carried, found.rehearsal, head, bid)
                ended |= {each.intent.id for each in found.carried} if sent else set()
            group = [each for each in group if each.intent.id not in ended]
        for each in group:
            rehearsal = self._rehearsed(each.intent, each.plan, head, next_timestamp, [*ahead, *sent])
            if rehearsal is not None:
                sent += self._send(sender, (each,), rehearsal, head, bid)
        return sent

    def _rehearsed(
        self, intent: Intent, plan: Plan, head: Head, next_timestamp: int, ahead: list[Action]
    ) -> Rehearsal | None:
        """The plan's rehearsal at the latest state; None where it fails, or cannot be known now."""
        try:
            rehearsal = rehearse(self.pool, self.payer, plan, ahead, next_timestamp)
        except (RpcError, NodeError) as error:
            if isinstance(error, NodeError) and not isinstance(error, CannotError):
                self._silence = error
            log.warning("cannot rehearse", chain=self.pool.name, intent=intent.id, error=str(error))
            self._held_up(intent, Unsent.NO_ANSWER, f"no node rehearses it: {error.what}")
            return None
        self._heard = True
        if rehearsal.ok:
            return rehearsal
        self._turned_down(intent, rehearsal.problem, head)
        return None

    def _turned_down(self, intent: Intent, problem: str, head: Head) -> None:
        """End an intent whose plan the rehearsal refused; a needless plan is not a wrong one."""
        late = is_needless(problem, Plan.from_json(intent.plan).errors)
        self._end(intent, IntentState.EXPIRED if late else IntentState.REFUSED, head, problem)

    def _send(
        self,
        sender: Sender,
        carried: Sequence[Planned],
        rehearsal: Rehearsal,
        head: Head,
        bid: Future[GasQuote],
    ) -> list[Action]:
        """Sign, commit and hand over; the actions that were sent."""
        try:
            signed, actions = sign_and_commit(sender, carried, rehearsal, bid.result(), head)
        except (UnreachableError, LostLeaseError):
            raise
        except NotSignedError as error:
            if len(carried) > 1:
                # Together it may be too much where each alone is not.
                return []
            log.warning("not signed", chain=self.pool.name, why=error.what)
            self._end(carried[0].intent, IntentState.REFUSED, head, error.what, Unsent.LIMIT)
            return []
        except KeeperError as error:
            log.warning("not signed", chain=self.pool.name, error=str(error))
            cause = Unsent.GAS_PRICE if isinstance(error, TooDearError) else Unsent.NO_ANSWER
            for each in carried:
                self._held_up(each.intent, cause, error.what)
            return []
        send(sender, signed, head)
        return actions

    def _rehearse_dry(self, head: Head, next_timestamp: int) -> None:
        """Rehearse what live mode would do, up to the signature."""
        ahead: list[Action] = []
        now = self._turns(head, None, next_timestamp)
        self._end_all(now, head)
        self._silence, self._heard = None, False
        for each in now.waiting:
            intent = each.intent
            rehearsal = self._rehearsed(intent, each.plan, head, next_timestamp, ahead)
            if rehearsal is None:
                continue
            ahead.extend(rehearsal.actions)
            with self.store.session() as session:
                row = session.get_one(Intent, intent.id)
                journal.move_intent(session, row, IntentState.REHEARSED, head.number)
            self._end(row, IntentState.SETTLED, head, "dry run: rehearsed, not sent")
        self._must_have_heard()

    def _held_up(self, intent: Intent, cause: Unsent, why: str) -> None:
        """Keep the intent planned, to be tried again at the next block. A gas price above the ceiling is
        reported at once; a node's missing answer only once the intent could not be sent in time."""
        with self.store.session() as session:
            row = session.get_one(Intent, intent.id)
            journal.hold_up(session, row, cause, why)
            if cause != Unsent.NO_ANSWER:
                self.tell.not_sent(session, row, cause, why)

    def _end(
        self, intent: Intent, state: IntentState, head: Head, why: str, unsent: Unsent | None = None
    ) -> None:
        with self.store.session() as session:
            row = session.get_one(Intent, intent.id)
            settlement.end(self.tell, session, row, head, state, why, unsent=unsent)
