"""What is told of an account: an episode's beginning and end, and that nothing can be done in it."""

from __future__ import annotations

from sqlmodel import Session

from keeper.alerts.outbox import Severity, alert
from keeper.alerts.wording import format_account
from keeper.model.format import format_health, format_time
from keeper.store.tables.watching import Episode


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
    alert(
        session,
        dedup_key=f"episode:{episode.id}",
        kind=f"below_{episode.threshold}",
        severity=severities[episode.threshold][0 if protected else 1],
        market=episode.market,
        account=episode.account,
        title=f"{format_account(episode.account)}: {titles[episode.threshold]}",
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
    """Told once an episode, and anew when the time of opening changes: why nothing is done about it."""
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
