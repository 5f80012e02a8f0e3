"""The outbox: alerts are written in the transaction of what they tell, and delivered afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import bindparam
from sqlmodel import Session, select

from keeper.store.rows import insert_row
from keeper.store.tables import Alert, Episode, Intent, IntentState, Transaction
from keeper.store.types import now

Severity = Literal["info", "warning", "critical"]
_TOLD = select(Alert.id).where(Alert.once == bindparam("once"))
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


def tell(
    session: Session,
    *,
    once: str,
    kind: str,
    severity: Severity,
    market: str,
    title: str,
    account: str = "",
    fields: dict[str, str] | None = None,
) -> None:
    """Write an alert unless one with the same `once` was ever written."""
    if session.exec(_TOLD, params={"once": once}).first() is not None:
        return
    shown = {"kind": kind, "severity": severity, "market": market, "account": account, **(fields or {})}
    alert = Alert(
        once=once,
        kind=kind,
        severity=severity,
        market=market,
        account=account,
        title=title,
        body="\n".join(f"{name}: {value}" for name, value in shown.items() if value),
        fields=json.dumps(fields or {}),
    )
    insert_row(session, alert)


def ratio(health: int | None) -> str:
    """Health for people: four digits after the point, truncated so that 0.99999 never reads as 1."""
    if health is None:
        return "no debt"
    whole, rest = divmod(health, 10**18)
    return f"{whole}.{rest // 10**14:04d}"


def episode_opened(session: Session, episode: Episode, level: int, *, protected: bool) -> None:
    severities: dict[str, tuple[Severity, Severity]] = {
        "warn": ("warning", "info"),
        "top_up": ("warning", "info"),
        "liquidate": ("critical", "info"),
    }
    if episode.threshold == "top_up" and not protected:
        return
    titles = {
        "warn": "health below the warning threshold",
        "top_up": "health below the top-up threshold",
        "liquidate": "account can be liquidated",
    }
    tell(
        session,
        once=f"episode:{episode.id}",
        kind=f"below_{episode.threshold}",
        severity=severities[episode.threshold][0 if protected else 1],
        market=episode.market,
        account=episode.account,
        title=f"{episode.account}: {titles[episode.threshold]}",
        fields={
            "health": ratio(episode.opened_health),
            "threshold": f"{episode.threshold} {ratio(level)}",
            "block": str(episode.opened_block),
        },
    )


def episode_closed(session: Session, episode: Episode, *, protected: bool) -> None:
    if not protected:
        return
    tell(
        session,
        once=f"episode:{episode.id}:closed",
        kind="recovered",
        severity="info",
        market=episode.market,
        account=episode.account,
        title=f"{episode.account}: above the {episode.threshold} threshold again",
        fields={
            "health": ratio(episode.closed_health),
            "threshold": episode.threshold,
            "lowest": ratio(episode.lowest_health),
            "block": str(episode.closed_block),
        },
    )


def cannot_act(session: Session, episode: Episode, kind: str, *, protected: bool) -> None:
    """Told once an episode, and anew when the time of opening changes: why nothing is done about it."""
    opens = f":{episode.opens_at}" if episode.opens_at else ""
    tell(
        session,
        once=f"episode:{episode.id}:cannot{opens}",
        kind="cannot_act",
        severity="critical" if protected else "warning",
        market=episode.market,
        account=episode.account,
        title=f"{episode.account}: {kind} is needed but not possible",
        fields={
            "health": ratio(episode.lowest_health),
            "threshold": episode.threshold,
            "why": episode.held,
            "opens at": moment(episode.opens_at),
        },
    )


def moment(timestamp: int | None) -> str:
    """A Unix time for people, UTC; empty for none."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if timestamp else ""


def intent_ended(
    session: Session, intent: Intent, act: Transaction | None, *, needless: bool = False
) -> None:
    """What an attempt did, or why it did not. One that became needless makes no noise."""
    if needless and intent.state == IntentState.EXPIRED:
        return
    done = intent.state == IntentState.SETTLED
    verb = {"liquidate": "liquidated", "top_up": "topped up", "redeem": "redeemed"}.get(
        intent.kind, intent.kind
    )
    if intent.mode == "dry":
        verb = f"would have been {verb} (dry run)"
    episode = session.get(Episode, intent.episode_id)
    summary: dict[str, str] = json.loads(intent.summary)
    what = ", ".join(f"{name} {value}" for name, value in summary.items() if " " in value)
    tell(
        session,
        once=f"intent:{intent.id}:{intent.state}",
        kind="action_taken" if done else f"action_{intent.state}",
        severity="info" if done else "warning",
        market=intent.market,
        account=intent.account,
        title=f"{intent.account}: {verb}" if done else f"{intent.account}: {intent.kind} {intent.state}",
        fields={
            "health": ratio(intent.health),
            "threshold": episode.threshold if episode else "",
            "action": what,
            "why": intent.reason,
            "transaction": act.hash if act else "",
            "attempt": str(intent.attempt),
        },
    )


def foreign_nonce(session: Session, chain: str, sender: str, nonces: list[int], block: int) -> None:
    """The signer's key was used by something that is not in the journal."""
    shown = ", ".join(str(nonce) for nonce in nonces)
    tell(
        session,
        once=f"chain:{chain}:foreign:{sender}:{nonces[-1]}",
        kind="foreign_nonce",
        severity="critical",
        market="",
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
    """A relay took a transaction and no block has it; from now on it goes to everybody."""
    tell(
        session,
        once=f"relay:{transaction.hash}",
        kind="relay_silent",
        severity="warning",
        market="",
        account=transaction.sender,
        title=f"{relay} took a transaction at block {transaction.relayed_block} and nothing came of it",
        fields={
            "chain": chain,
            "transaction": transaction.hash,
            "what now": "it goes to the public pool",
        },
    )


def stands_back(session: Session, chain: str, why: str) -> None:
    """Another keeper acts with the same key: told once a day."""
    tell(
        session,
        once=f"chain:{chain}:stands_back:{now().date().isoformat()}",
        kind="stands_back",
        severity="warning",
        market="",
        title=f"chain {chain}: this keeper only watches: {why}",
        fields={"chain": chain, "why": why},
    )


def market_stopped(session: Session, market: str, block: int, why: str) -> None:
    tell(
        session,
        once=f"market:{market}:stopped:{block}",
        kind="watch_only",
        severity="critical",
        market=market,
        title=f"market {market} is watched only: {why}",
        fields={"why": why, "block": str(block)},
    )


def market_failed(session: Session, market: str, block: int, why: str) -> None:
    """A market that could not be brought up to date; told once per cause and hundred blocks."""
    tell(
        session,
        once=f"market:{market}:failed:{block // 100}:{why[:80]}",
        kind="market_failed",
        severity="critical",
        market=market,
        title=f"market {market} could not be read: {why}",
        fields={"why": why, "block": str(block)},
    )


def chain_unreachable(session: Session, chain: str, since: str, why: str) -> None:
    tell(
        session,
        once=f"chain:{chain}:unreachable:{since}",
        kind="chain_unreachable",
        severity="critical",
        market="",
        title=f"chain {chain} cannot be reached: {why}",
        fields={"chain": chain, "why": why},
    )


def job_failed(session: Session, job: str, why: str) -> None:
    """A fault of the keeper's own; told once a cause."""
    tell(
        session,
        once=f"job:{job}:{why[:120]}",
        kind="job_failed",
        severity="critical",
        market="",
        title=f"{job} failed: {why[:200]}",
        fields={"job": job, "why": why[:500]},
    )


def low_balance(session: Session, chain: str, payer: str, day: str, detail: str) -> None:
    tell(
        session,
        once=f"chain:{chain}:balance:{payer}:{day}",
        kind="low_balance",
        severity="warning",
        market="",
        account=payer,
        title=f"{payer}: {detail}",
        fields={"chain": chain},
    )


def held(session: Session, chain: str, block: int, kind: str, why: str) -> None:
    """Told once a stretch in which nothing is sent on a chain."""
    tell(
        session,
        once=f"chain:{chain}:held:{block}",
        kind=kind,
        severity="critical",
        market="",
        title=f"chain {chain} is held: {why}",
        fields={"chain": chain, "why": why, "block": str(block)},
    )


def config_changed(session: Session, file: str, digest: str, what: str) -> None:
    """Told once a content of the file and day."""
    tell(
        session,
        once=f"config:{digest}:{now().date().isoformat()}",
        kind="config_changed",
        severity="warning",
        market="",
        title=f"{file} {what}",
        fields={"file": file, "what": what},
    )
