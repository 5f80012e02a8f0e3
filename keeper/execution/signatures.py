"""Signing: checked, signed and committed to the journal in one transaction of the store; sent only after."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.address import to_checksum_address
from sqlmodel import Session

from keeper.chain.blocks import Head
from keeper.chain.erc20 import APPROVE
from keeper.chain.fees import Fees
from keeper.errors import KeeperError
from keeper.execution import limits, transactions
from keeper.execution.pause_file import paused
from keeper.execution.rehearsal import Action
from keeper.execution.sender import Sender
from keeper.store.tables.journal import StandingAllowance, Transaction
from keeper.store.tables.states import TransactionState


class NotSignedError(KeeperError):
    """A limit, the allow-list or a pause forbids the signature; the message says which."""


def begin(sender: Sender, session: Session) -> None:
    """First step of a transaction that signs: LostLeaseError unless the lease is ours, NotSignedError in a
    pause."""
    sender.lease.must_hold(session)
    why = paused(session, sender.pause_file)
    if why:
        raise NotSignedError(why, where=f"chain {sender.chain}")


def sign(
    sender: Sender,
    session: Session,
    head: Head,
    action: Action,
    gas: int,
    price: Fees,
    nonce: int,
    carries: Sequence[int] = (),
    replaces: Transaction | None = None,
    why: str = "",
) -> Transaction:
    """Sign and record; nothing is sent. `begin` comes before it in the same transaction.

    The transaction `replaces` gives up its nonce. NotSignedError when the allow-list or the day's gas forbid
    it.
    """
    problem = limits.not_allowed(sender.limits, sender.address, action.target, action.data)
    if not problem and action.purpose in ("approve", "act"):
        wei = gas * price.max_fee
        old = replaces.id if replaces is not None else None
        problem = limits.gas_overspent(session, sender.limits, sender.chain, sender.address, wei, old)
    if problem:
        raise NotSignedError(problem, where=f"chain {sender.chain}", remedy="See [execution] in the README")
    if replaces is not None:
        reason = f"{why or 'replaced'} at head {head.number}"
        transactions.move(session, replaces, TransactionState.REPLACED, head.number, reason)
    fields = {
        "chainId": sender.pool.chain_id,
        "nonce": nonce,
        "to": to_checksum_address(action.target),
        "value": action.value,
        "data": action.data,
        **price.fields(),
    }
    raw, digest = sender.signer.sign({**fields, "gas": gas})
    while transactions.is_recorded(session, sender.chain, digest):
        # The same was signed before, and a reorganisation undid what came of it: this must be another.
        gas -= 1
        raw, digest = sender.signer.sign({**fields, "gas": gas})
    row = Transaction(
        chain=sender.chain,
        sender=sender.address,
        nonce=nonce,
        hash=digest,
        purpose=action.purpose,
        target=action.target,
        data=action.data,
        value=action.value,
        raw=raw,
        state=TransactionState.SIGNED,
        gas_limit=gas,
        max_fee=price.max_fee,
        tip=price.tip,
        signed_block=head.number,
        first_block=replaces.first_block if replaces else head.number,
        replaces_id=replaces.id if replaces else None,
        relayed_block=replaces.relayed_block if replaces else None,
    )
    transactions.record(session, row, carries, why)
    if action.purpose == "approve" and action.data.startswith(APPROVE):
        _note_allowance(sender, session, head, action)
    return row


def _note_allowance(sender: Sender, session: Session, head: Head, action: Action) -> None:
    """Record an allowance together with its grant, so that taking it back cannot be forgotten."""
    token, spender = action.target.lower(), "0x" + action.data[34:74].lower()
    session.merge(
        StandingAllowance(
            chain=sender.chain,
            owner=sender.address,
            token=token,
            spender=spender,
            since_block=head.number,
        )
    )
