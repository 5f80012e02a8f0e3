"""The meaning of a node's refusal of a transaction, decided by facts: what the chain has, knows and asks
for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import replace as changed
from enum import Enum, auto

import structlog

from keeper.chain import fees
from keeper.chain.answers import about_node
from keeper.chain.blocks import Head
from keeper.chain.fees import Fees
from keeper.chain.refusals import least_asked, of_tips, says_tip
from keeper.errors import KeeperError
from keeper.execution import transactions, witness
from keeper.execution.replacement import again, most_per_gas, replace
from keeper.execution.sender import Sender
from keeper.execution.signatures import NotSignedError
from keeper.store.tables.journal import Transaction

log = structlog.get_logger()

# EIP-7702: the code of an account that lets a contract act for it.
DELEGATION = "0xef0100"


_SAYS_THERE = re.compile(r"nonce (?:is )?too low|already (?:known|imported)|known transaction")


class Refusal(Enum):
    """THERE: it is known already or its nonce is used; the follower finds out. WAITS: it is accepted once the
    transaction before it is in a block. OTHER: anything else, including a bid that is too low."""

    THERE = auto()
    WAITS = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class AskedInRefusal:
    """Wei per gas that a refusal asks for: a tip, or a higher maximum fee; 0 for neither."""

    tip: int = 0
    max_fee: int = 0

    @property
    def words(self) -> str:
        """The request in words for people."""
        return f"a tip of {self.tip} wei" if self.tip else f"{self.max_fee} wei"


def meaning(sender: Sender, transaction: Transaction, message: str) -> Refusal:
    """Why a node refused `transaction`."""
    if witness.is_known(sender.pool, transaction.hash) or _counted(sender) > transaction.nonce:
        return Refusal.THERE
    if _SAYS_THERE.search(message.lower()):
        # Who answers now may be a backend that is behind the one that refused it.
        return Refusal.THERE
    if waits(sender, transaction) and is_delegated(sender):
        return Refusal.WAITS
    return Refusal.OTHER


def waits(sender: Sender, transaction: Transaction) -> bool:
    """Whether something of ours at a lower nonce is in no block yet."""
    with sender.store.session() as session:
        flying = transactions.unmined(session, sender.chain, sender.address)
    return any(each.nonce < transaction.nonce for each in flying)


def is_delegated(sender: Sender) -> bool:
    """Whether our own account has delegated code now."""
    code = sender.pool.call("eth_getCode", sender.address, "latest")
    return isinstance(code, str) and code.lower().startswith(DELEGATION)


def asked(
    sender: Sender, transaction: Transaction, head: Head, message: str, sure: bool
) -> AskedInRefusal | None:
    """What a refusal's words ask for, where neither funds nor gas are missing; a tip that a node names as
    such is remembered. Not `sure`: it may be no refusal at all, and nothing is remembered."""
    try:
        found = _read(sender, transaction, head, message, sure)
    except Exception as error:  # noqa: BLE001  (whatever a node says, what is to be sent goes on)
        log.warning("refusal not understood", chain=sender.chain, said=message, error=repr(error))
        return None
    if found is None or not _has_funds(sender, transaction):
        return None
    if found.tip and sure and _names_tip(transaction, message):
        log.info("least tip", chain=sender.chain, wei=found.tip, said=message)
        sender.floor.learn(found.tip)
    return found


def bid_what_is_asked(
    sender: Sender, transaction: Transaction, head: Head, ask: AskedInRefusal
) -> Transaction | None:
    """Sign a successor that bids what the nodes ask for; None, and reported, where the ceiling, its worth or
    a limit forbids it."""
    most = most_per_gas(sender, transaction)
    old = Fees(transaction.max_fee, transaction.tip)
    least = max(sender.floor.wei, ask.tip)
    try:
        wanted = fees.suggest(sender.pool, most, least=least)
        # An eighth more, of which nothing is paid: if a tip was asked for, the next refusal shows it.
        most_paid = max(ask.max_fee, min(ask.max_fee * 9 // 8, most))
        wanted = changed(wanted, max_fee=max(wanted.max_fee, most_paid))
        price = fees.replacing(old, wanted, most)
        if price is not None and (price.tip or price.max_fee) >= least:
            why = f"the node asks for {ask.words}"
            return replace(sender, head, transaction, again(transaction), transaction.gas_limit, price, why)
    except (fees.TooDearError, NotSignedError) as error:
        log.warning("cannot bid what is asked", hash=transaction.hash, why=error.what)
    why = f"nodes ask for {ask.words} a unit of gas, above what may be bid: {most}"
    tell(sender, transaction, "gas price", why)
    return None


def tell(sender: Sender, transaction: Transaction, cause: str, why: str) -> None:
    """Report why what a transaction carries does not go out."""
    with sender.store.session() as session:
        for intent in transactions.intents_of(session, transaction.id or 0):
            if intent.ended_block is None:
                sender.tell.not_sent(session, intent, cause, why)


def _counted(sender: Sender) -> int:
    return int(sender.pool.call("eth_getTransactionCount", sender.address, "latest"), 16)


def _read(
    sender: Sender, transaction: Transaction, head: Head, message: str, sure: bool
) -> AskedInRefusal | None:
    """Read a refusal's figures: a tip where the words say so; else a figure above the maximum fee asks for a
    higher maximum, and only one that is not above it can be a tip."""
    bid = transaction.max_fee if transaction.tip is None else transaction.tip
    ours = (transaction.max_fee, bid, transaction.gas_limit, transaction.nonce, transaction.value)
    most = sender.limits.max_gas_price
    tip = least_asked(of_tips(message), bid, most, (*ours, head.base_fee))
    if not sure and about_node(message):
        return None
    if tip is not None and _names_tip(transaction, message):
        return AskedInRefusal(tip=tip)
    fee = least_asked(message, transaction.max_fee, most, ours)
    if fee is not None:
        return AskedInRefusal(max_fee=fee)
    return None if tip is None else AskedInRefusal(tip=tip)


def _names_tip(transaction: Transaction, message: str) -> bool:
    """Whether figures in these words are tips; without a base fee, the gas price is one."""
    return transaction.tip is None or says_tip(message)


def _has_funds(sender: Sender, transaction: Transaction) -> bool:
    """Whether the account can pay for it: if not, figures in a refusal are about funds."""
    try:
        held = int(sender.pool.call("eth_getBalance", sender.address, "latest"), 16)
    except KeeperError:
        return True
    return held >= transaction.gas_limit * transaction.max_fee + transaction.value
