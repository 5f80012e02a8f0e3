"""What a node's refusal of a transaction means, decided by facts: what the chain has, knows and asks for."""

from __future__ import annotations

import re
from enum import Enum, auto

import structlog

from keeper.chain import fees
from keeper.chain.blocks import Head
from keeper.chain.fees import Fees
from keeper.chain.refusals import least_asked
from keeper.errors import KeeperError
from keeper.execution import follow, transactions
from keeper.execution.lane import Lane
from keeper.execution.replacing import again, most_per_gas, replace
from keeper.execution.signing import NotSignedError
from keeper.store.tables import Transaction

log = structlog.get_logger()

# EIP-7702: the code of an account that lets a contract act for it.
DELEGATION = "0xef0100"


_SAYS_THERE = re.compile(r"nonce (?:is )?too low|already (?:known|imported)|known transaction")


class Refusal(Enum):
    """THERE: it is known already, or its nonce is used: the follower finds out. WAITS: it is taken once what
    comes before it is in a block. DEARER: it asks for more a unit of gas. OTHER: anything else."""

    THERE = auto()
    WAITS = auto()
    DEARER = auto()
    OTHER = auto()


def meaning(lane: Lane, transaction: Transaction, message: str) -> Refusal:
    """Why a node refused `transaction`; a least tip that its words name is remembered."""
    if follow.known(lane, transaction) or _counted(lane) > transaction.nonce:
        return Refusal.THERE
    if _SAYS_THERE.search(message.lower()):
        # Who answers now may be a backend that is behind the one that refused it.
        return Refusal.THERE
    if waits(lane, transaction) and is_delegated(lane):
        return Refusal.WAITS
    return Refusal.DEARER if _learn(lane, transaction, message) else Refusal.OTHER


def waits(lane: Lane, transaction: Transaction) -> bool:
    """Whether something of ours at a lower nonce is in no block yet."""
    with lane.store.session() as session:
        flying = transactions.unmined(session, lane.chain, lane.sender)
    return any(each.nonce < transaction.nonce for each in flying)


def is_delegated(lane: Lane) -> bool:
    """Whether our own account has delegated code now."""
    code = lane.pool.call("eth_getCode", lane.sender, "latest")
    return isinstance(code, str) and code.lower().startswith(DELEGATION)


def bid_what_is_asked(lane: Lane, transaction: Transaction, head: Head) -> Transaction | None:
    """A successor that bids the tip the nodes ask for; None where the ceiling, its worth or a limit forbids
    it, and then it is told."""
    most = most_per_gas(lane, transaction)
    old = Fees(transaction.max_fee, transaction.tip)
    least = lane.floor.wei
    try:
        wanted = fees.suggest(lane.pool, most, least=least)
        price = fees.replacing(old, wanted, most)
        if price is not None and (price.tip or price.max_fee) >= least:
            why = f"the node asks for a tip of {least} wei"
            return replace(lane, head, transaction, again(transaction), transaction.gas_limit, price, why)
    except (fees.TooDearError, NotSignedError) as error:
        log.warning("cannot bid what is asked", hash=transaction.hash, why=error.what)
    why = f"nodes ask for a tip of {least} wei a unit of gas, above what may be bid: {most}"
    tell(lane, transaction, "gas price", why)
    return None


def tell(lane: Lane, transaction: Transaction, cause: str, why: str) -> None:
    """Tell why what a transaction carries does not go out."""
    with lane.store.session() as session:
        for intent in transactions.intents_of(session, transaction.id or 0):
            if intent.ended_block is None:
                lane.tell.not_sent(session, intent, cause, why)


def _counted(lane: Lane) -> int:
    return int(lane.pool.call("eth_getTransactionCount", lane.sender, "latest"), 16)


def _learn(lane: Lane, transaction: Transaction, message: str) -> bool:
    """Whether the refusal names a figure above our bid, where neither funds nor gas are what is missing."""
    bid = transaction.max_fee if transaction.tip is None else transaction.tip
    ours = (transaction.max_fee, bid, transaction.gas_limit, transaction.nonce, transaction.value)
    asked = least_asked(message, bid, lane.limits.max_gas_price, ours)
    if asked is None or not _has_funds(lane, transaction):
        return False
    log.info("least tip", chain=lane.chain, wei=asked, said=message)
    lane.floor.learn(asked)
    return True


def _has_funds(lane: Lane, transaction: Transaction) -> bool:
    """Whether the account can pay for it: else figures in a refusal are about that."""
    try:
        held = int(lane.pool.call("eth_getBalance", lane.sender, "latest"), 16)
    except KeeperError:
        return True
    return held >= transaction.gas_limit * transaction.max_fee + transaction.value
