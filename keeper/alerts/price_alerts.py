"""Alerts about prices: once per episode of a fault, and once when it ends."""

from __future__ import annotations

from sqlmodel import Session

from keeper.alerts.outbox import Severity, alert
from keeper.oracles.guards import FaultKind
from keeper.store.tables.watching import PriceFault

_CRITICAL: frozenset[FaultKind] = frozenset({"zero", "negative", "reverting", "out_of_bounds", "unresolved"})


def fault_opened(
    session: Session,
    fault: PriceFault,
    *,
    hold: str,
    unvaluable: int,
    strangers_day: int | None = None,
) -> None:
    """Alert about a price's fault. `strangers_day` is the day where the source is a stranger's: they may let
    it fail at every other block, and that is one warning per day."""
    severity: Severity = "critical" if fault.kind in _CRITICAL and strangers_day is None else "warning"
    strange = f"price:{fault.market}:{fault.asset}:{fault.kind}:{strangers_day}"
    alert(
        session,
        dedup_key=f"price:{fault.id}" if strangers_day is None else strange,
        kind=f"price_{fault.kind}",
        severity=severity,
        market=fault.market,
        title=f"{fault.symbol}: {fault.detail}",
        fields={
            "asset": fault.asset,
            "why": fault.detail,
            "held up": hold,
            "cannot be valued": f"{unvaluable} accounts" if unvaluable else "",
            "block": str(fault.opened_block),
        },
    )


def fault_closed(session: Session, fault: PriceFault) -> None:
    alert(
        session,
        dedup_key=f"price:{fault.id}:closed",
        kind="price_well",
        severity="info",
        market=fault.market,
        title=f"{fault.symbol}: no longer {fault.kind.replace('_', ' ')}",
        fields={"asset": fault.asset, "was": fault.detail, "block": str(fault.closed_block)},
    )


def owner_unvaluable(session: Session, market: str, account: str, why: str, faults: list[int]) -> None:
    """Alert that nobody can value a protected account; once per episode of the faults behind it."""
    alert(
        session,
        dedup_key=f"unvaluable:{market}:{account}:{','.join(map(str, faults))}",
        kind="unvaluable",
        severity="critical",
        market=market,
        account=account,
        title=f"{account}: cannot be valued, by the contract neither",
        fields={"why": why},
    )
