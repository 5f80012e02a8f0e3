"""The acting loop of one chain: from the journal to the chain and back, one round after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from eth_utils.address import to_checksum_address
from sqlmodel import Session

from keeper.chain import fees
from keeper.chain.blocks import Head
from keeper.chain.node import RpcError
from keeper.chain.pool import NodePool
from keeper.chain.signer import Signer
from keeper.errors import KeeperError
from keeper.execution import follow, journal
from keeper.execution.journal import Mode
from keeper.execution.rehearsal import Action, Rehearsal, rehearse
from keeper.execution.sending import send
from keeper.plan import Plan
from keeper.store.database import Store
from keeper.store.tables import Intent, IntentState, MarketStatus, Transaction, TransactionState

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What execution may do: most wei a unit of gas, blocks to wait, age at which a plan is given up."""

    max_gas_price: int
    confirmations: int
    plan_blocks: int


class Actor:
    """Carries the open intents of one chain forward. `payer` is the address that acts; only a signer of
    that address makes transactions, and only in live mode. `ended` is told of every intent that ends, in
    the transaction that ends it."""

    def __init__(
        self,
        pool: NodePool,
        store: Store,
        limits: Limits,
        payer: str,
        signer: Signer | None,
        ended: Callable[[Session, Intent, Transaction | None], None],
    ) -> None:
        self.pool = pool
        self.store = store
        self.limits = limits
        self.payer = payer
        self.signer = signer
        self._ended = ended
        self.mode: Mode = "live" if signer else "dry"

    def settle(self, head: Head) -> None:
        """Follow what was sent and end what the chain has decided: before the deciding loop looks again."""
        if self.signer is not None:
            follow.transactions(self.pool, self.store, head, self.limits.confirmations)
            self._settle(head)

    def carry(self, head: Head, next_timestamp: int) -> None:
        """Rehearse, sign and send what is planned."""
        with self.store.session() as session:
            waiting = list(journal.open_intents(session, self.pool.name, self.mode))
        ahead: list[Action] = []
        for intent in waiting:
            ahead.extend(self._carry(intent, head, next_timestamp, ahead))

    def _carry(
        self, intent: Intent, head: Head, next_timestamp: int, ahead: list[Action]
    ) -> tuple[Action, ...]:
        """Bring one intent as far as this round can; the actions that were sent for it."""
        assert intent.id is not None
        with self.store.session() as session:
            carried = journal.transactions_of(session, intent.id)
            market = session.get(MarketStatus, intent.market)
        if any(t.purpose == "act" for t in carried) or any(_pending(t) for t in carried):
            return ()
        plan = Plan.from_json(intent.plan)
        if market is not None and not market.acting and not plan.sized_by_contract:
            # Planned before the numbers were found to differ: what it rests on is not known to hold.
            self._end(intent, IntentState.REFUSED, head, "the market is watched only")
            return ()
        if head.number - intent.planned_block > self.limits.plan_blocks and not carried:
            self._end(intent, IntentState.EXPIRED, head, "was not sent in time")
            return ()
        try:
            rehearsal = rehearse(self.pool, self.payer, plan, ahead, next_timestamp)
        except RpcError as error:
            log.warning("cannot rehearse", chain=self.pool.name, intent=intent.id, error=str(error))
            return ()
        if not rehearsal.ok:
            self._end(intent, IntentState.REFUSED, head, rehearsal.problem)
            return ()
        if self.signer is None:
            self._end(intent, IntentState.SETTLED, head, "dry run: rehearsed, not sent")
            return ()
        try:
            price = fees.suggest(self.pool, self.limits.max_gas_price)
        except KeeperError as error:
            log.warning("gas too expensive", chain=self.pool.name, intent=intent.id, error=str(error))
            return ()
        signed = self._sign(intent, plan, rehearsal, price, head)
        for transaction in signed:
            if not send(self.pool, self.store, transaction, head):
                break
        return rehearsal.actions

    def _sign(
        self, intent: Intent, plan: Plan, rehearsal: Rehearsal, price: fees.Fees, head: Head
    ) -> list[Transaction]:
        """Sign every action and commit them with the intent's new state before any is sent."""
        assert self.signer is not None
        pending = int(self.pool.call("eth_getTransactionCount", self.payer, "pending"), 16)
        signed = []
        with self.store.session() as session:
            row = session.get_one(Intent, intent.id)
            assert row.id is not None
            first = len(journal.transactions_of(session, row.id))
            for step, (action, gas) in enumerate(zip(rehearsal.actions, rehearsal.gas, strict=True)):
                nonce = journal.next_nonce(session, self.pool.name, self.payer, pending)
                transaction = self._transaction(action, gas, nonce, price, head)
                signed.append(journal.record_signed(session, row, transaction, first + step))
            if rehearsal.complete:
                journal.move_intent(session, row, IntentState.REHEARSED, head.number)
        return signed

    def _transaction(self, action: Action, gas: int, nonce: int, price: fees.Fees, head: Head) -> Transaction:
        assert self.signer is not None
        raw, digest = self.signer.sign(
            {
                "type": 2,
                "chainId": self.pool.chain_id,
                "nonce": nonce,
                "to": to_checksum_address(action.target),
                "value": 0,
                "data": action.data,
                "gas": gas,
                "maxFeePerGas": price.max_fee,
                "maxPriorityFeePerGas": price.tip,
            }
        )
        return Transaction(
            chain=self.pool.name,
            sender=self.payer,
            nonce=nonce,
            hash=digest,
            purpose=action.purpose,
            raw=raw,
            state=TransactionState.SIGNED,
            gas_limit=gas,
            max_fee=price.max_fee,
            signed_block=head.number,
        )

    def _settle(self, head: Head) -> None:
        """End the intents whose action is decided, and take back what allowance is left."""
        with self.store.session() as session:
            open_now = list(journal.open_intents(session, self.pool.name, self.mode))
        for intent in open_now:
            assert intent.id is not None
            with self.store.session() as session:
                carried = journal.transactions_of(session, intent.id)
            act = next((t for t in carried if t.purpose == "act"), None)
            if act is None or _pending(act):
                continue
            if act.state == TransactionState.DROPPED:
                self._end(intent, IntentState.FAILED, head, "its nonce went to another transaction", act)
            elif act.succeeded:
                self._end(intent, IntentState.SETTLED, head, "", act)
            else:
                self._end(intent, IntentState.FAILED, head, "reverted on chain", act)
            self._clear_allowance(intent, Plan.from_json(intent.plan), len(carried), head)

    def _clear_allowance(self, intent: Intent, plan: Plan, step: int, head: Head) -> None:
        """A repayment may need a little less than was approved: no allowance is left standing."""
        if not plan.spend.spender or not follow.allowance_left(
            self.pool, self.payer, plan.spend.token, plan.spend.spender
        ):
            return
        try:
            action, gas = follow.clearing(self.pool, self.payer, plan.spend.token, plan.spend.spender)
            price = fees.suggest(self.pool, self.limits.max_gas_price)
        except (KeeperError, RpcError) as error:
            log.warning("allowance left", token=plan.spend.token, error=str(error))
            return
        pending = int(self.pool.call("eth_getTransactionCount", self.payer, "pending"), 16)
        with self.store.session() as session:
            row = session.get_one(Intent, intent.id)
            nonce = journal.next_nonce(session, self.pool.name, self.payer, pending)
            transaction = self._transaction(action, gas, nonce, price, head)
            journal.record_signed(session, row, transaction, step)
        send(self.pool, self.store, transaction, head)

    def _end(
        self, intent: Intent, state: IntentState, head: Head, why: str, act: Transaction | None = None
    ) -> None:
        with self.store.session() as session:
            row = session.get_one(Intent, intent.id)
            journal.move_intent(session, row, state, head.number, why)
            self._ended(session, row, act)
        log.info("intent ended", id=intent.id, account=intent.account, kind=intent.kind, state=state, why=why)


def _pending(transaction: Transaction) -> bool:
    return transaction.state not in (TransactionState.FINAL, TransactionState.DROPPED)
