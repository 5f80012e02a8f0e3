"""Following what was sent until the chain has decided it."""

from __future__ import annotations

from typing import Any

import structlog

from keeper.chain.blocks import Head
from keeper.chain.pool import NodePool
from keeper.execution import journal
from keeper.execution.erc20 import allowance, approve
from keeper.execution.rehearsal import Action, with_margin
from keeper.execution.sending import send
from keeper.store.database import Store
from keeper.store.tables import Transaction, TransactionState

log = structlog.get_logger()


def transactions(pool: NodePool, store: Store, head: Head, confirmations: int) -> None:
    """Ask the chain about every transaction in flight; send again, unchanged, what no node knows."""
    with store.session() as session:
        flying = list(journal.in_flight(session, pool.name))
    for transaction in flying:
        receipt = pool.call("eth_getTransactionReceipt", transaction.hash)
        if receipt is not None:
            _included(store, transaction, receipt, head, confirmations)
        elif _taken(pool, transaction):
            with store.session() as session:
                row = session.get_one(Transaction, transaction.id)
                reason = "nonce used by another transaction"
                journal.move_transaction(session, row, TransactionState.DROPPED, head.number, reason)
        elif pool.call("eth_getTransactionByHash", transaction.hash) is None:
            log.info("sending again", hash=transaction.hash, nonce=transaction.nonce)
            send(pool, store, transaction, head)


def _included(
    store: Store, transaction: Transaction, receipt: dict[str, Any], head: Head, confirmations: int
) -> None:
    block = int(receipt["blockNumber"], 16)
    with store.session() as session:
        row = session.get_one(Transaction, transaction.id)
        row.block = block
        row.block_hash = receipt["blockHash"]
        row.succeeded = int(receipt["status"], 16) == 1
        row.gas_used = int(receipt["gasUsed"], 16)
        row.gas_price = int(receipt.get("effectiveGasPrice", "0x0"), 16)
        journal.move_transaction(session, row, TransactionState.INCLUDED, head.number)
        if head.number - block + 1 >= confirmations:
            journal.move_transaction(session, row, TransactionState.FINAL, head.number)


def _taken(pool: NodePool, transaction: Transaction) -> bool:
    """Whether the chain has used the nonce for something that is not this transaction."""
    mined = int(pool.call("eth_getTransactionCount", transaction.sender, "latest"), 16)
    if mined <= transaction.nonce:
        return False
    return pool.call("eth_getTransactionReceipt", transaction.hash) is None


def allowance_left(pool: NodePool, owner: str, token: str, spender: str) -> int:
    data = allowance(owner, spender)
    return int(pool.call("eth_call", {"to": token, "data": data}, "latest"), 16)


def clearing(pool: NodePool, owner: str, token: str, spender: str) -> tuple[Action, int]:
    """The action that takes an allowance back, and its gas limit."""
    action = Action("clear", token, approve(spender, 0))
    gas = pool.call("eth_estimateGas", {"from": owner, "to": token, "data": action.data})
    return action, with_margin(int(gas, 16))
