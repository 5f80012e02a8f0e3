"""Alerts about an account: its episodes' beginnings and ends, and that nothing can be done in one."""

from __future__ import annotations

from collections.abc import Mapping

from sqlmodel import Session

from keeper.alerts.outbox import Severity, alert
from keeper.alerts.wording import format_account
from keeper.model.format import format_health, format_time
from keeper.store.tables.watching import Episode

_BELOW: Mapping[str, tuple[Severity, str]] = {
    "warn": ("warning", "health below the warning threshold"),
    "top_up": ("warning", "health below the top-up threshold"),
    "liquidate": ("critical", "account can be liquidated"),
}
"""By threshold: the severity for a protected account, and the title."""


def episode_opened(session: Session, episode: Episode, level: int, *, protected: bool) -> None:
    if episode.threshold == "top_up" and not protected:
        return
    severity, title = _BELOW[episode.threshold]
    alert(
        session,
        dedup_key=f"episode:{episode.id}",
        kind=f"below_{episode.threshold}",
        severity=severity if protected else "info",
        market=episode.market,
        account=episode.account,
        title=f"{format_account(episode.account)}: {title}",
        fields={
            "health": format_health(episode.opened_health),
            "threshold": f"{episode.threshold} {format_health(level)}",
            "block": str(episode.opened_block),
        },
    )


def episode_closed(session: Session, episode: Episode, *, protected: bool) -> None:
    if not protected:
        return
    alert(
        session,
        dedup_key=f"episode:{episode.id}:closed",
        kind="recovered",
        severity="info",
        market=episode.market,
        account=episode.account,
        title=f"{format_account(episode.account)}: above the {episode.threshold} threshold again",
        fields={
            "health": format_health(episode.closed_health),
            "threshold": episode.threshold,
            "lowest": format_health(episode.lowest_health),
            "block": str(episode.closed_block),
        },
    )


def cannot_act(session: Session, episode: Episode, kind: str, *, protected: bool) -> None:
    """Report why nothing can be done in an episode; once per episode, and anew when the retry time
    changes."""
    opens = f":{episode.retry_at}" if episode.retry_at else ""
    alert(
        session,
        dedup_key=f"episode:{episode.id}:cannot{opens}",
        kind="cannot_act",
        severity="critical" if protected else "warning",
        market=episode.market,
        account=episode.account,
        title=f"{format_account(episode.account)}: {kind} is needed but not possible",
        fields={
            "health": format_health(episode.lowest_health),
            "threshold": episode.threshold,
            "why": episode.blocked_reason,
            "opens at": format_time(episode.retry_at),
        },
    )
