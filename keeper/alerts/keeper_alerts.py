"""Alerts about the keeper itself: its chains, its configuration, its gas money and its own faults."""

from __future__ import annotations

from sqlmodel import Session

from keeper.alerts.outbox import Severity, alert
from keeper.store.types import now


def chain_unreachable(session: Session, chain: str, since: str, why: str) -> None:
    """Alert, once per outage, that a chain cannot be reached; the outage began at `since`."""
    title = f"chain {chain} cannot be reached: {why}"
    _alert(session, f"chain:{chain}", "chain_unreachable", since, "critical", title, chain=chain, why=why)


def silent(session: Session, chain: str, since: str, seconds: int) -> None:
    """Alert, once per silence, that a chain's loop decides no blocks; the silence was noticed at `since`."""
    title = f"chain {chain}: no block was decided for {seconds} s, nobody is watched there; see the log"
    _alert(session, f"chain:{chain}", "silent", since, "critical", title, chain=chain, seconds=str(seconds))


def held(session: Session, chain: str, block: int, kind: str, why: str) -> None:
    """Alert, once per halt, that nothing is sent on a chain."""
    title = f"chain {chain} is held: {why}"
    _alert(
        session, f"chain:{chain}", kind, str(block), "critical", title, chain=chain, why=why, block=str(block)
    )


def low_balance(session: Session, chain: str, payer: str, day: str, detail: str) -> None:
    """Alert, once per day, that gas money runs low."""
    title = f"{payer}: {detail}"
    about = f"chain:{chain}:{payer}"
    _alert(session, about, "low_balance", day, "warning", title, account=payer, chain=chain)


def job_failed(session: Session, job: str, why: str) -> None:
    """Alert about a fault of the keeper's own; once per cause."""
    title = f"{job} failed: {why[:200]}"
    _alert(session, f"job:{job}", "job_failed", why[:120], "critical", title, job=job, why=why[:500])


def not_posted(session: Session, chain: str, digest: str, why: str) -> None:
    """Alert, once per cause, that the ledger lacks a transaction."""
    title = f"transaction {digest} cannot be posted to the ledger: {why[:200]}"
    about = f"chain:{chain}:{digest}"
    _alert(session, about, "not_posted", why[:120], "warning", title, chain=chain, transaction=digest)


def no_native_price(session: Session, chain: str, day: str, what: str, remedy: str) -> None:
    """Alert that the price of a chain's coin is unknown; at each start, once per day."""
    title = f"chain {chain}: {what}"
    _alert(session, f"chain:{chain}", "no_native_price", day, "critical", title, chain=chain, remedy=remedy)


def config_changed(session: Session, file: str, digest: str, what: str) -> None:
    """Alert that the configuration file has changed; once per content and day."""
    once = f"{digest}:{now().date().isoformat()}"
    _alert(session, "config", "config_changed", once, "warning", f"{file} {what}", file=file, what=what)


def _alert(
    session: Session,
    about: str,
    kind: str,
    once: str,
    severity: Severity,
    title: str,
    *,
    account: str = "",
    **fields: str,
) -> None:
    alert(
        session,
        dedup_key=f"{about}:{kind}:{once}",
        kind=kind,
        severity=severity,
        account=account,
        title=title,
        fields=fields,
    )
