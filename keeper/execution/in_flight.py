"""Care for transactions that are signed and in no block: hand over again, bid more, or cancel. Never blindly.

An action goes out again only after its plan was rehearsed anew at the latest state. One whose plan no longer
works is replaced by a transfer of nothing to ourselves at the same nonce: only that is certain. What was only
ever in bundles is abandoned instead: no later block can take a bundle for an earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from keeper.chain import fees
from keeper.chain.answers import CannotError, NodeError, RpcError
from keeper.chain.blocks import Head
from keeper.chain.fees import Fees
from keeper.chain.pool import NodePool
from keeper.errors import KeeperError, UnreachableError
from keeper.execution import follow, nonces, refusal, settlement, transactions, witness
from keeper.execution.lifecycle import UNDECIDED
from keeper.execution.rehearsal import Action, rehearse, with_margin
from keeper.execution.replacement import again, most_per_gas, replace
from keeper.execution.sender import Sender
from keeper.execution.signatures import NotSignedError, begin, sign
from keeper.execution.submission import BUNDLE, private, send
from keeper.model.plan import Plan
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import IntentState, TransactionState, Unsent

log = structlog.get_logger()

NOTHING = "0x"
# Where no node estimates it (our own account may have code that refuses a call): chains that charge data in
# gas take several hundred thousand. What is not used costs nothing.
PLENTY = 500_000


@dataclass
class InFlight:
    """One round of care at `head`; `ahead` are the actions that the chain runs first, in the order of
    nonces."""

    sender: Sender
    head: Head
    timestamp: int
    ahead: list[Action] = field(default_factory=list)
    _problems: dict[int, str] = field(default_factory=dict)
    _abandon: set[int | None] = field(default_factory=set)

    def all(self, counted: int) -> None:
        """Care for every transaction in no block, then fill the nonces that hold up later ones. NodeError
        where no transaction could be handled for want of an answer."""
        sender, silence = self.sender, list[NodeError]()
        with sender.store.session() as session:
            flying = transactions.unmined(session, sender.chain, sender.address)
        for transaction in flying:
            try:
                self._tend(transaction)
            except NotSignedError as error:
                log.warning("not signed", hash=transaction.hash, why=error.what)
                refusal.tell(sender, transaction, Unsent.LIMIT, error.what)
            except (RpcError, NodeError) as error:
                log.warning("cannot tend", hash=transaction.hash, error=str(error))
                if isinstance(error, NodeError) and not isinstance(error, CannotError):
                    silence.append(error)
            if transaction.id in self._abandon:
                continue
            if transaction.purpose in ("act", "approve", "clear"):
                self.ahead.append(again(transaction))
        if silence and len(silence) == len(flying):
            raise silence[-1]
        if flying:
            self._fill_nonce_gap(counted)

    def _tend(self, transaction: Transaction) -> None:
        limits, waited = self.sender.limits, self.head.number - transaction.signed_block
        queued = self._queued(transaction)
        orphaned = transaction.state == TransactionState.ORPHANED
        hidden = private(self.sender, transaction, self.head) and transaction.relayed_block is not None
        known = not orphaned and (hidden or witness.is_known(self.sender.pool, transaction.hash))
        if transaction.purpose in ("act", "approve") and (waited >= 1 or not known):
            problem = self._problem(transaction)
            late = self.head.number - transaction.first_block >= limits.cancel_blocks
            if not problem and late and not queued:
                problem = f"not included within {limits.cancel_blocks} blocks"
            if problem and waited and self._bundled_only(transaction):
                self._release(transaction, problem)
                return
            if problem:
                self._cancel(transaction, problem)
                return
        if queued:
            return
        if waited and waited % limits.replace_blocks == 0:
            elapsed, gas = self.head.number - transaction.first_block, transaction.gas_limit
            if self._replace(transaction, again(transaction), gas, elapsed, "a higher bid"):
                return
        once_more = hidden and transaction.channel == BUNDLE and waited
        if not known or once_more or (not hidden and transaction.channel != "public"):
            log.info("sending again", hash=transaction.hash, nonce=transaction.nonce)
            send(self.sender, [transaction], self.head)

    def _queued(self, transaction: Transaction) -> bool:
        """Whether nodes accept it only once the transaction before it is in a block (delegated accounts).
        When that has happened its waiting time starts: no block could take it before."""
        if transaction.hash not in self.sender.waiting:
            return False
        if refusal.waits(self.sender, transaction):
            return True
        self.sender.waiting.discard(transaction.hash)
        with self.sender.store.session() as session:
            row = session.get_one(Transaction, transaction.id)
            row.first_block = row.signed_block = self.head.number
            session.add(row)
        send(self.sender, [transaction], self.head)
        return True

    def _problem(self, transaction: Transaction) -> str:
        """Why none of the intents that it carries would work now; empty while one would."""
        with self.sender.store.session() as session:
            carried = transactions.intents_of(session, transaction.id or 0)
        problems = [self._rehearsed(intent) for intent in carried]
        return "" if not all(problems) else "; ".join(dict.fromkeys(problems))

    def _rehearsed(self, intent: Intent) -> str:
        assert intent.id is not None
        if intent.id not in self._problems:
            problem = "its attempt has ended"
            if intent.ended_block is None:
                plan = Plan.from_json(intent.plan)
                sender = self.sender
                problem = rehearse(sender.pool, sender.address, plan, self.ahead, self.timestamp).problem
            self._problems[intent.id] = problem
        return self._problems[intent.id]

    def _bundled_only(self, transaction: Transaction) -> bool:
        """Whether everything at its nonce went out in bundles only, and no block ever had it."""
        sender = self.sender
        with sender.store.session() as session:
            rivals = transactions.at_nonce(
                session, sender.chain, sender.address, transaction.nonce, UNDECIDED
            )
            return all(
                each.channel == BUNDLE and not transactions.was_in_block(session, each) for each in rivals
            )

    def _release(self, transaction: Transaction, why: str) -> None:
        """Give its nonce back and end its intents. The transaction is still followed: should a block take it
        after all (an earlier one that a reorganisation brought), the intents are corrected."""
        log.info("bundle missed", hash=transaction.hash, nonce=transaction.nonce, why=why)
        self._abandon.add(transaction.id)
        with self.sender.store.session() as session:
            self.sender.lease.must_hold(session)
            row = session.get_one(Transaction, transaction.id)
            if not follow.waiting(row):
                return
            transactions.move(
                session, row, TransactionState.REPLACED, self.head.number, "its bundle was missed"
            )
            carried = transactions.intents_of(session, row.id or 0) if row.purpose == "act" else []
            for intent in carried:
                if intent.state == IntentState.REHEARSED:
                    settlement.end(self.sender.tell, session, intent, self.head, IntentState.EXPIRED, why)

    def _cancel(self, transaction: Transaction, why: str) -> None:
        log.info("cancelling", hash=transaction.hash, nonce=transaction.nonce, why=why)
        gas = gas_for(self.sender.pool, self.sender.address, transaction.gas_limit)
        self._replace(transaction, to_ourselves("cancel", self.sender.address), gas, 0, why)

    def _replace(self, old: Transaction, action: Action, gas: int, waited: int, why: str) -> bool:
        """Sign a successor at the same nonce with higher fees, and send it; False above the ceiling."""
        sender = self.sender
        most = most_per_gas(sender, old) if action.purpose == "act" else sender.limits.max_gas_price
        price = self._price(old, waited, most)
        if price is None:
            log.warning("cannot bid more", hash=old.hash, ceiling=most)
            return False
        successor = replace(sender, self.head, old, action, gas, price, why)
        if successor is not None:
            send(sender, [successor], self.head)
        return successor is not None

    def _price(self, old: Transaction, waited: int, ceiling: int) -> Fees | None:
        present = Fees(old.max_fee, old.tip)
        try:
            wanted = fees.suggest(self.sender.pool, ceiling, waited, self.sender.floor.wei)
        except UnreachableError:
            raise
        except KeeperError:
            wanted = present
        return fees.replacing(present, wanted, ceiling)

    def _fill_nonce_gap(self, counted: int) -> None:
        """Sign and send a transfer of nothing at each unused nonce that holds up later ones."""
        sender = self.sender
        with sender.store.session() as session:
            held = [t.nonce for t in transactions.live(session, sender.chain, sender.address)]
        if held == list(range(counted, counted + len(held))) or not held or min(held) < counted:
            return
        # From the least that any node counts: one alone may say what it likes.
        answers = sender.pool.call_each("eth_getTransactionCount", sender.address, "pending")
        said = [int(answer, 16) for answer in answers if isinstance(answer, str)]
        if not said:
            return
        pending = min(said)
        if max(held) - max(counted, pending) > nonces.FAR:
            log.error("gap too wide", chain=sender.chain, counted=counted, pending=pending, ours=max(held))
            return
        price = fees.suggest(sender.pool, sender.limits.max_gas_price, least=sender.floor.wei)
        gas = gas_for(sender.pool, sender.address)
        with sender.store.session() as session:
            begin(sender, session)
            action = to_ourselves("fill", sender.address)
            filled = [
                sign(sender, session, self.head, action, gas, price, nonce, why="a gap of nonces")
                for nonce in nonces.gaps(session, sender.chain, sender.address, counted, pending)
            ]
        for transaction in filled:
            log.warning("gap filled", nonce=transaction.nonce, hash=transaction.hash)
        send(sender, filled, self.head)


def to_ourselves(purpose: str, sender: str) -> Action:
    """A transfer of nothing: the action of a cancellation ("cancel") or of a filled gap ("fill")."""
    return Action(purpose, sender, NOTHING)


def gas_for(pool: NodePool, sender: str, at_least: int = 0) -> int:
    """The gas limit for a transfer of nothing, estimated: it is above 21,000 where data is charged in gas or
    the account has code. `at_least` where it cannot be estimated."""
    call = {"from": sender, "to": sender, "value": "0x0", "data": NOTHING}
    try:
        return with_margin(int(pool.call("eth_estimateGas", call), 16))
    except (KeeperError, TypeError, ValueError) as error:
        log.info("gas not estimated", chain=pool.name, instead=max(PLENTY, at_least), why=str(error))
        return max(PLENTY, at_least)
