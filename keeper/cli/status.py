"""`keeper status`: what the daemon last wrote down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import col, select

from keeper.alerts.outbox import ratio
from keeper.cli.output import print_json, print_table
from keeper.config import load
from keeper.store.database import open_store
from keeper.store.tables import OPEN_INTENTS, ChainStatus, Episode, Intent, MarketStatus


def status(config: Path, *, as_json: bool) -> None:
    store = open_store(load(config).store.url)
    with store.session() as session:
        chains = session.exec(select(ChainStatus)).all()
        markets = session.exec(select(MarketStatus)).all()
        episodes = session.exec(select(Episode).where(col(Episode.closed_block).is_(None))).all()
        intents = session.exec(select(Intent).where(col(Intent.state).in_(OPEN_INTENTS))).all()
    if as_json:
        print_json(
            {
                "chains": [row.model_dump(mode="json") for row in chains],
                "markets": [row.model_dump(mode="json") for row in markets],
                "episodes": [
                    {**row.model_dump(mode="json"), "lowest_health": str(row.lowest_health)}
                    for row in episodes
                ],
                "intents": [row.model_dump(mode="json", exclude={"plan"}) for row in intents],
            }
        )
        return
    print_table(
        "chains",
        ["chain", "mode", "block", "acted at", "node", "requests", "seen"],
        [
            [
                c.chain,
                c.mode,
                str(c.block),
                str(c.acted_block),
                _node(c),
                str(c.requests),
                _ago(c.updated_at),
            ]
            for c in chains
        ],
    )
    print_table(
        "markets",
        ["market", "block", "version", "state", "accounts", "below a threshold"],
        [
            [
                m.market,
                str(m.block),
                f"{m.version or '?'} (revision {m.revision})",
                "acting" if m.acting else f"WATCHED ONLY: {m.reason}",
                str(m.accounts),
                str(m.breaches),
            ]
            for m in markets
        ],
    )
    if episodes:
        print_table(
            "open episodes",
            ["market", "account", "below", "since block", "lowest health"],
            [
                [e.market, e.account, e.threshold, str(e.opened_block), ratio(e.lowest_health)]
                for e in episodes
            ],
        )
    if intents:
        print_table(
            "open intents",
            ["id", "market", "account", "kind", "mode", "attempt", "state"],
            [[str(i.id), i.market, i.account, i.kind, i.mode, str(i.attempt), i.state] for i in intents],
        )


def _node(chain: ChainStatus) -> str:
    if not chain.reachable:
        return f"UNREACHABLE: {chain.reason}"
    return f"HELD: {chain.reason}" if chain.reason else "answers"


def _ago(moment: datetime) -> str:
    return f"{int((datetime.now(UTC) - moment).total_seconds())} s ago"
