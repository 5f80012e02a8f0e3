"""Acting on an oracle update before a block has it: plans are rehearsed on top of the update and, where there
is a relay, bundled behind it.

A bundle is for one block. When that block comes without it, the next round rehearses each plan on the chain
as it is, like everything else in flight: what works is offered again, the rest is abandoned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog

from keeper.chain.backrun import Backrun, PendingUpdate, submit
from keeper.chain.blocks import Head
from keeper.chain.node import NodeError, RpcError
from keeper.errors import KeeperError, UnreachableError
from keeper.execution import transactions
from keeper.execution.batch_rehearsal import BatchRehearsal, Planned, groups, rehearse_together
from keeper.execution.commitment import sign_and_commit
from keeper.execution.lease import LostLeaseError
from keeper.execution.rehearsal import Action, Rehearsal, rehearse
from keeper.execution.sender import Sender
from keeper.model.plan import Plan
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import TransactionState

log = structlog.get_logger()


def action_of(update: PendingUpdate) -> Action:
    """The update as the first action of a rehearsal."""
    return Action("update", update.target, update.data, update.sender, update.value)


def bundle_behind(
    sender: Sender,
    intents: Sequence[Intent],
    update: PendingUpdate,
    adapter: Backrun,
    head: Head,
    timestamp: int,
) -> bool:
    """Rehearse planned intents on top of `update`, one after another, and bundle those that work behind it.

    False when none works, there is no relay, or a transaction of ours is in flight (nonces would depend on
    it): the intents then wait for the block unchanged.
    """
    if sender.relay is None:
        return False
    with sender.store.session() as session:
        if transactions.unmined(session, sender.chain, sender.address):
            log.info("not behind the update", update=update.hash, why="transactions of ours are under way")
            return False
    planned = [Planned(each, Plan.from_json(each.plan)) for each in intents]
    ahead, signed = [action_of(update)], list[Transaction]()
    for group in groups(planned, head.gas_limit):
        for carried, rehearsal in _rehearsed(sender, group, ahead, timestamp):
            if len(signed) + len(rehearsal.actions) > sender.limits.max_in_flight:
                break
            ours = _sign(sender, carried, rehearsal, head)
            signed += ours
            if ours:
                ahead.extend(rehearsal.actions)
    if not signed:
        return False
    why = f"bundled behind {update.hash} for block {head.number + 1}"
    try:
        submit(sender.relay, adapter, update, [each.raw for each in signed], head.number + 1)
    except NodeError as error:
        why = f"no answer, maybe sent: {error}"
    except RpcError as error:
        log.warning("bundle refused", relay=sender.relay.label, error=error.message)
        return False
    log.info("behind the update", update=update.hash, transactions=len(signed), block=head.number + 1)
    with sender.store.session() as session:
        for each in signed:
            row = session.get_one(Transaction, each.id)
            transactions.move(session, row, TransactionState.SENT, head.number, why)
    return True


def _rehearsed(
    sender: Sender, group: Sequence[Planned], ahead: list[Action], timestamp: int
) -> Iterator[tuple[Sequence[Planned], Rehearsal]]:
    """Yield what works of a group behind `ahead`: together where possible, else each alone. The caller may
    extend `ahead` between two results."""
    if len(group) > 1:
        try:
            found = rehearse_together(sender.pool, sender.address, group, ahead, timestamp)
        except (RpcError, NodeError) as error:
            found = BatchRehearsal(fallback_reason=error.what)
        if found.fallback_reason:
            log.info("no batch", chain=sender.chain, why=found.fallback_reason)
        if found.carried:
            yield found.carried, found.rehearsal
            ended = {each.intent.id for each in (*found.carried, *(each for each, _ in found.failed))}
            group = [each for each in group if each.intent.id not in ended]
    for each in group:
        rehearsal = rehearse(sender.pool, sender.address, each.plan, ahead, timestamp)
        if rehearsal.ok and rehearsal.complete:
            yield (each,), rehearsal
        else:
            log.info("not behind the update", intent=each.intent.id, why=rehearsal.problem)


def _sign(sender: Sender, carried: Sequence[Planned], rehearsal: Rehearsal, head: Head) -> list[Transaction]:
    """Sign and commit, marked as part of a bundle before any is handed over; none where a limit forbids
    it."""
    try:
        return sign_and_commit(sender, carried, rehearsal, sender.quote(), head, bundled=True)[0]
    except (UnreachableError, LostLeaseError):
        raise
    except KeeperError as error:
        log.info("not behind the update", intents=[each.intent.id for each in carried], why=error.what)
        return []
