"""The acting loop of one chain: from the journal to the chain and back, one round after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from keeper.chain import fees
from keeper.chain.backrun import Backrun, PendingUpdate
from keeper.chain.blocks import Head
from keeper.chain.node import RpcError
from keeper.chain.pool import NodePool
from keeper.chain.relay import Relay
from keeper.chain.signer import Signing
from keeper.errors import KeeperError, UnreachableError
from keeper.execution import allowances, follow, journal, limits, nonces, settling, transactions, trigger
from keeper.execution.combining import Combined, Planned, groups, rehearse_together
from keeper.execution.journal import Mode
from keeper.execution.lane import Lane, Telling
from keeper.execution.lease import Lease, LostLeaseError
from keeper.execution.limits import Limits
from keeper.execution.pausing import paused
from keeper.execution.rehearsal import Action, Rehearsal, is_needless, rehearse
from keeper.execution.sending import send
from keeper.execution.signing import NotSignedError, begin, sign
from keeper.execution.tending import Tending
from keeper.plan import Plan
from keeper.store.database import Store
from keeper.store.tables import Intent, IntentState, MarketStatus, Transaction

log = structlog.get_logger()


class Actor:
    """Carries the open intents of one chain forward. `payer` is the address that acts; only a signer of
    that address makes transactions, and only in live mode. `stands_back` says why nothing is sent now."""

    def __init__(
        self,
        pool: NodePool,
        store: Store,
        limits: Limits,
        payer: str,
        signer: Signing | None,
        tell: Telling,
        relay: Relay | None = None,
        pause_file: Path | None = None,
        lease: Lease | None = None,
    ) -> None:
        self.pool = pool
        self.store = store
        self.limits = limits
        self.payer = payer
        self.tell = tell
        self.mode: Mode = "live" if signer else "dry"
        self.lane: Lane | None = None
        if signer is not None:
            held = lease or Lease(store, f"{pool.name}:{payer}")
            self.lane = Lane(pool, store, limits, payer, signer, held, tell, relay, pause_file)
        self.stands_back = ""
        self.leading = True
        self._counted = 0
        self._idle = False
        self._looked: Head | None = None

    def settle(self, head: Head) -> None:
        """Follow what was sent and end what the chain has decided: before the deciding loop looks again."""
        if self.lane is None or not self._leads(self.lane):
            return
        before = self._looked
        continuous = before is not None and before.hash in (head.parent, head.hash)
        with self.store.session() as session:
            flying = transactions.undecided(session, self.pool.name, self.payer)
            open_now = any(journal.open_intents(session, self.pool.name, self.mode))
        # With nothing under way there is nothing to settle: the look at the key's nonce can wait until after
        # what this block asks for was sent.
        self._idle = not flying and not open_now
        if not self._idle:
            self._look(self.lane, head, continuous=continuous)
            settling.settle(self.lane, head)

    def _look(self, lane: Lane, head: Head, *, continuous: bool) -> None:
        self._counted = follow.look(lane, head, continuous=continuous)
        self._looked = head

    def carry(self, head: Head, next_timestamp: int) -> None:
        """Care for what is in flight; rehearse, sign and send what is planned."""
        if self.lane is None:
            self._rehearse_dry(head, next_timestamp)
            return
        if not self._leads(self.lane) or self._paused(self.lane):
            return
        tending = Tending(self.lane, head, next_timestamp)
        flying = 0
        if not self._idle:
            tending.all(self._counted)
            with self.store.session() as session:
                flying = len(transactions.unmined(session, self.pool.name, self.payer))
        for group in groups(self._waiting(head), head.gas_limit):
            if flying >= self.limits.max_in_flight:
                break
            sent = self._carry_all(self.lane, group, head, next_timestamp, tending.ahead)
            tending.ahead.extend(sent)
            flying += len(sent)
        allowances.take_back(self.lane, head)
        if self._idle and self._looked != head:
            self._look(self.lane, head, continuous=False)

    @property
    def can_bundle(self) -> bool:
        """Whether there is a signer and a relay, and the last round found nothing against sending."""
        return self.lane is not None and self.lane.relay is not None and not self.stands_back

    def act_behind(
        self, numbers: Sequence[int], update: PendingUpdate, adapter: Backrun, head: Head, next_timestamp: int
    ) -> bool:
        """Bundle planned intents (ids) behind an update that is in no block yet; False where they must wait
        for the block."""
        if self.lane is None or not self._leads(self.lane) or self._paused(self.lane):
            return False
        with self.store.session() as session:
            found = [session.get_one(Intent, number) for number in numbers]
        return trigger.act_behind(self.lane, found, update, adapter, head, next_timestamp)

    def release(self) -> None:
        """Let a standby take over at once."""
        if self.lane is not None:
            self.lane.lease.release()

    def _leads(self, lane: Lane) -> bool:
        other = lane.lease.holds()
        if other and other != self.stands_back:
            log.warning("stands back", chain=lane.chain, why=other)
        self.stands_back, self.leading = other, not other
        return not other

    def _paused(self, lane: Lane) -> bool:
        with lane.store.session() as session:
            self.stands_back = paused(session, lane.pause_file)
        return bool(self.stands_back)

    def _waiting(self, head: Head) -> list[Planned]:
        """The intents whose turn it is; those whose time is over are ended."""
        with self.store.session() as session:
            found = list(journal.open_intents(session, self.pool.name, self.mode))
        waiting = []
        for intent in found:
            assert intent.id is not None
            with self.store.session() as session:
                carried = journal.transactions_of(session, intent.id)
                market = session.get(MarketStatus, intent.market)
            if intent.state != IntentState.PLANNED or any(follow.waiting(t) for t in carried):
                continue
            plan = Plan.from_json(intent.plan)
            if market is not None and not market.acting and not plan.sized_by_contract:
                # Planned before the numbers were found to differ: what it rests on is not known to hold.
                self._end(intent, IntentState.REFUSED, head, "the market is watched only")
            elif head.number - intent.planned_block > self.limits.plan_blocks and not carried:
                self._end(intent, IntentState.EXPIRED, head, "was not sent in time")
            else:
                waiting.append(Planned(intent, plan))
        return waiting

    def _carry_all(
        self, lane: Lane, group: list[Planned], head: Head, next_timestamp: int, ahead: list[Action]
    ) -> list[Action]:
        """Send a group in one transaction, or each of it alone; the actions that were sent."""
        if len(group) > 1:
            try:
                found = rehearse_together(self.pool, self.payer, group, ahead, next_timestamp)
            except RpcError as error:
                log.info("no batch", chain=self.pool.name, why=error.message)
                found = Combined((), Rehearsal((), ()), whole="cannot be rehearsed together")
            for each, problem in found.failed:
                self._turned_down(each.intent, problem, head)
            if found.carried and self._send(lane, found.carried, found.rehearsal, head):
                return list(found.rehearsal.actions)
            ended = {each.intent.id for each, _ in found.failed}
            group = [each for each in group if each.intent.id not in ended]
        sent: list[Action] = []
        for each in group:
            rehearsal = self._rehearsed(each.intent, each.plan, head, next_timestamp, [*ahead, *sent])
            if rehearsal is not None and self._send(lane, (each,), rehearsal, head):
                sent += rehearsal.actions
        return sent

    def _rehearsed(
        self, intent: Intent, plan: Plan, head: Head, next_timestamp: int, ahead: list[Action]
    ) -> Rehearsal | None:
        """What works of the plan at the latest state; None where it does not, or cannot be known now."""
        try:
            rehearsal = rehearse(self.pool, self.payer, plan, ahead, next_timestamp)
        except RpcError as error:
            log.warning("cannot rehearse", chain=self.pool.name, intent=intent.id, error=str(error))
            return None
        if rehearsal.ok:
            return rehearsal
        self._turned_down(intent, rehearsal.problem, head)
        return None

    def _turned_down(self, intent: Intent, problem: str, head: Head) -> None:
        """A plan that the rehearsal refused; needless is not wrong."""
        late = is_needless(problem, Plan.from_json(intent.plan).errors)
        self._end(intent, IntentState.EXPIRED if late else IntentState.REFUSED, head, problem)

    def _send(self, lane: Lane, carried: Sequence[Planned], rehearsal: Rehearsal, head: Head) -> bool:
        """Sign, commit and hand over; False when nothing was signed."""
        try:
            price = fees.suggest(self.pool, self.limits.max_gas_price)
            signed = self._sign(lane, carried, rehearsal, price, head)
        except (UnreachableError, LostLeaseError):
            raise
        except NotSignedError as error:
            if len(carried) > 1:
                # Together it may be too much where each alone is not.
                return False
            self._end(carried[0].intent, IntentState.REFUSED, head, error.what)
            return False
        except KeeperError as error:
            log.warning("gas too expensive", chain=self.pool.name, error=str(error))
            return False
        send(lane, signed, head)
        return bool(signed)

    def _sign(
        self,
        lane: Lane,
        carried: Sequence[Planned],
        rehearsal: Rehearsal,
        price: fees.Fees,
        head: Head,
    ) -> list[Transaction]:
        """Sign every action and commit them with the intents' new states before any is sent."""
        pending = int(self.pool.call("eth_getTransactionCount", self.payer, "pending"), 16)
        signed = []
        with self.store.session() as session:
            begin(lane, session)
            rows = [session.get_one(Intent, each.intent.id) for each in carried]
            if any(row.state != IntentState.PLANNED for row in rows):
                return []
            problem = limits.overspent(session, self.limits, rows)
            if problem:
                raise NotSignedError(problem)
            numbers = [row.id for row in rows if row.id is not None]
            for action, gas in zip(rehearsal.actions, rehearsal.gas, strict=True):
                nonce = nonces.following(session, self.pool.name, self.payer, pending)
                signed.append(sign(lane, session, head, action, gas, price, nonce, numbers))
            if rehearsal.complete:
                for row in rows:
                    journal.move_intent(session, row, IntentState.REHEARSED, head.number)
        return signed

    def _rehearse_dry(self, head: Head, next_timestamp: int) -> None:
        """What live mode would do, up to the signature."""
        ahead: list[Action] = []
        for each in self._waiting(head):
            intent = each.intent
            rehearsal = self._rehearsed(intent, each.plan, head, next_timestamp, ahead)
            if rehearsal is None:
                continue
            ahead.extend(rehearsal.actions)
            with self.store.session() as session:
                row = session.get_one(Intent, intent.id)
                journal.move_intent(session, row, IntentState.REHEARSED, head.number)
            self._end(row, IntentState.SETTLED, head, "dry run: rehearsed, not sent")

    def _end(self, intent: Intent, state: IntentState, head: Head, why: str) -> None:
        with self.store.session() as session:
            row = session.get_one(Intent, intent.id)
            journal.move_intent(session, row, state, head.number, why)
            self.tell.intent_ended(session, row, None, needless=settling.needless(row))
        log.info("intent ended", id=intent.id, account=intent.account, kind=intent.kind, state=state, why=why)
