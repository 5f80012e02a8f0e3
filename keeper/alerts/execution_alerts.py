"""Alerts about acting: the results of attempts, and what happened to key, relay and keeper."""

from __future__ import annotations

from sqlmodel import Session

from keeper.alerts.outbox import alert
from keeper.alerts.wording import PAST, format_account, format_summary
from keeper.model.format import format_health
from keeper.model.plan import CURES
from keeper.store.tables.journal import Intent, Transaction
from keeper.store.tables.states import IntentState
from keeper.store.tables.watching import Episode
from keeper.store.types import now


def intent_ended(
    session: Session, intent: Intent, act: Transaction | None, *, needless: bool = False
) -> None:
    """Report what an attempt did, or why it did nothing. One that became needless is not reported."""
    if needless and intent.state == IntentState.EXPIRED:
        return
    done = intent.state == IntentState.SETTLED
    verb = PAST.get(intent.kind, intent.kind)
    if intent.mode == "dry":
        verb = f"would have been {verb} (dry run)"
    episode = session.get(Episode, intent.episode_id)
    alert(
        session,
        dedup_key=f"intent:{intent.id}:{intent.state}",
        kind="action_taken" if done else f"action_{intent.state}",
        severity="info" if done else "warning",
        market=intent.market,
        account=intent.account,
        title=f"{format_account(intent.account)}: {verb}"
        if done
        else f"{format_account(intent.account)}: {intent.kind} {intent.state}",
        fields={
            "health": format_health(intent.health),
            "threshold": episode.threshold if episode else "",
            "action": format_summary(intent.summary),
            "why": intent.reason,
            "transaction": act.hash if act else "",
            "attempt": str(intent.attempt),
        },
    )


def not_sent(session: Session, intent: Intent, cause: str, why: str) -> None:
    """Alert that nothing of an attempt was sent, through no fault of the account's; once per episode, cause
    and day, when it begins and when an attempt has ended so.

    A top-up is for a protected account: there the alert is critical."""
    episode = session.get(Episode, intent.episode_id)
    ended = intent.ended_block is not None
    kind = f"action_{intent.state}" if ended else "not_sent"
    alert(
        session,
        dedup_key=f"episode:{intent.episode_id}:{intent.kind}:{kind}:{cause}:{now().date().isoformat()}",
        kind=kind,
        severity="critical" if intent.kind in CURES else "warning",
        market=intent.market,
        account=intent.account,
        title=f"{format_account(intent.account)}: {intent.kind} is planned and cannot be sent: {cause}",
        fields={
            "health": format_health(intent.health),
            "threshold": episode.threshold if episode else "",
            "why": why,
            "attempt": str(intent.attempt),
        },
    )


def foreign_nonce(session: Session, chain: str, sender: str, nonces: list[int], block: int) -> None:
    """Alert that the signer's key was used by something that is not in the journal."""
    shown = ", ".join(str(nonce) for nonce in nonces)
    alert(
        session,
        dedup_key=f"chain:{chain}:foreign:{sender}:{nonces[-1]}",
        kind="foreign_nonce",
        severity="critical",
        account=sender,
        title=f"{sender}: the key was used by something else on {chain} (nonce {shown})",
        fields={
            "chain": chain,
            "nonces": shown,
            "block": str(block),
            "remedy": "Give the keeper a key of its own; if nobody you know did this, move the funds",
        },
    )


def relay_silent(session: Session, chain: str, relay: str, transaction: Transaction) -> None:
    """Alert that no block includes a transaction that a relay took; from now on it is sent to the public
    pool."""
    alert(
        session,
        dedup_key=f"relay:{transaction.hash}",
        kind="relay_silent",
        severity="warning",
        account=transaction.sender,
        title=f"{relay} took a transaction at block {transaction.relayed_block} and nothing came of it",
        fields={
            "chain": chain,
            "transaction": transaction.hash,
            "what now": "it goes to the public pool",
        },
    )


def standing_by(session: Session, chain: str, why: str) -> None:
    """Alert, once per day, that another keeper acts with the same key."""
    alert(
        session,
        dedup_key=f"chain:{chain}:standby:{now().date().isoformat()}",
        kind="standby",
        severity="warning",
        title=f"chain {chain}: this keeper only watches: {why}",
        fields={"chain": chain, "why": why},
    )
