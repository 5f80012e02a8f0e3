"""Acting on an oracle's update before a block has it: the plan is rehearsed on top of that update and, with a
relay, bundled behind it.

The bundle is for one block. When that block comes without it, the next round rehearses the plan on the
chain as it is, as for everything else in flight, and sends or cancels.
"""

from __future__ import annotations

import structlog

from keeper.chain import fees
from keeper.chain.backrun import Backrun, PendingUpdate, submit
from keeper.chain.blocks import Head
from keeper.chain.node import NodeError, RpcError
from keeper.execution import journal, limits, nonces, transactions
from keeper.execution.lane import Lane
from keeper.execution.rehearsal import Action, Rehearsal, rehearse
from keeper.execution.signing import NotSignedError, begin, sign
from keeper.plan import Plan
from keeper.store.tables import Intent, IntentState, Transaction, TransactionState

log = structlog.get_logger()


def on_top(lane: Lane, plan: Plan, update: PendingUpdate, timestamp: int) -> Rehearsal:
    """The plan's rehearsal behind the pending update."""
    ahead = [Action("update", update.target, update.data, update.sender)]
    return rehearse(lane.pool, lane.sender, plan, ahead, timestamp)


def act_behind(
    lane: Lane, intent: Intent, update: PendingUpdate, adapter: Backrun, head: Head, timestamp: int
) -> bool:
    """Rehearse a planned intent on top of `update` and bundle it behind; False when it does not work there,
    or there is no relay: then it waits for the block."""
    if lane.relay is None:
        return False
    rehearsal = on_top(lane, Plan.from_json(intent.plan), update, timestamp)
    if not rehearsal.ok or not rehearsal.complete:
        log.info("not behind the update", intent=intent.id, why=rehearsal.problem)
        return False
    signed = _sign(lane, intent, rehearsal, head)
    if not signed:
        return False
    why = f"bundled behind {update.hash} for block {head.number + 1}"
    try:
        submit(lane.relay, adapter, update, [t.raw for t in signed], head.number + 1)
    except NodeError as error:
        why = f"no answer, maybe sent: {error}"
    except RpcError as error:
        log.warning("bundle refused", relay=lane.relay.label, error=error.message)
        return False
    with lane.store.session() as session:
        for each in signed:
            row = session.get_one(Transaction, each.id)
            row.channel, row.relayed_block = "bundle", head.number
            transactions.move(session, row, TransactionState.SENT, head.number, why)
    return True


def _sign(lane: Lane, intent: Intent, rehearsal: Rehearsal, head: Head) -> list[Transaction]:
    price = fees.suggest(lane.pool, lane.limits.max_gas_price)
    pending = int(lane.pool.call("eth_getTransactionCount", lane.sender, "pending"), 16)
    signed = []
    try:
        with lane.store.session() as session:
            begin(lane, session)
            row = session.get_one(Intent, intent.id)
            if row.state != IntentState.PLANNED or row.id is None:
                return []
            problem = limits.overspent(session, lane.limits, [row])
            if problem:
                raise NotSignedError(problem)
            for action, gas in zip(rehearsal.actions, rehearsal.gas, strict=True):
                nonce = nonces.following(session, lane.chain, lane.sender, pending)
                signed.append(sign(lane, session, head, action, gas, price, nonce, [row.id]))
            journal.move_intent(session, row, IntentState.REHEARSED, head.number)
    except NotSignedError as error:
        log.info("not behind the update", intent=intent.id, why=error.what)
        return []
    return signed
