"""A successor at a nonce of ours: signed with higher fees and committed; the caller hands it over."""

from __future__ import annotations

from collections.abc import Sequence

from keeper.chain.blocks import Head
from keeper.chain.fees import Fees
from keeper.execution import bid_limits, follow, transactions
from keeper.execution.rehearsal import Action
from keeper.execution.sender import Sender
from keeper.execution.signatures import begin, sign
from keeper.model.plan import Plan
from keeper.store.tables.journal import Intent, Transaction


def again(transaction: Transaction) -> Action:
    """The action of a transaction, to be sent once more."""
    return Action(transaction.purpose, transaction.target, transaction.data, value=transaction.value)


def most_per_gas(sender: Sender, transaction: Transaction) -> int:
    """Wei per gas that a successor of `transaction` may bid: an action pays at most what its open intents
    earn, any other transaction at most the ceiling."""
    if transaction.purpose != "act":
        return sender.limits.max_gas_price
    with sender.store.session() as session:
        carried = transactions.intents_of(session, transaction.id or 0)
    plans = [Plan.from_json(each.plan) for each in carried if each.ended_block is None]
    used = bid_limits.measured(transaction.gas_limit, len(carried))
    return bid_limits.max_fee_per_gas(plans, sender.limits.max_gas_price, used)


def replace(
    sender: Sender, head: Head, old: Transaction, action: Action, gas: int, price: Fees, why: str
) -> Transaction | None:
    """Sign `action` at the nonce of `old`, which gives it up; None when a block took `old` meanwhile."""
    with sender.store.session() as session:
        begin(sender, session)
        row = session.get_one(Transaction, old.id)
        if not follow.waiting(row):
            return None
        carried = transactions.intents_of(session, old.id or 0)
        for intent in carried:
            if action.purpose == "cancel" and intent.ended_block is None:
                intent.reason = why
                session.add(intent)
        action = _at_bid(action, carried, gas, price)
        numbers = [intent.id for intent in carried if intent.id is not None]
        return sign(sender, session, head, action, gas, price, old.nonce, numbers, row, why)


def _at_bid(action: Action, carried: Sequence[Intent], gas: int, price: Fees) -> Action:
    """The action with the profit asked for on chain raised to cover its gas at this bid."""
    plans = [(Plan.from_json(each.plan), each.ended_block is None) for each in carried]
    still = [plan for plan, is_open in plans if is_open]
    ended = [plan for plan, is_open in plans if not is_open]
    used = bid_limits.measured(gas, len(carried))
    return bid_limits.at_bid(action, still, gas, price.max_fee, ended, used)
