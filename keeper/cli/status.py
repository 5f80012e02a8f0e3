"""`keeper status`: what the daemon last wrote down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import col, select

from keeper.alerts.outbox import ratio
from keeper.cli.output import print_json, print_table
from keeper.config import load
from keeper.store.database import open_store
from keeper.store.tables import (
    OPEN_INTENTS,
    ChainStatus,
    Episode,
    Intent,
    MarketStatus,
    PriceFault,
    PriceStatus,
)


def status(config: Path, *, as_json: bool) -> None:
    store = open_store(load(config).store.url)
    with store.session() as session:
        chains = session.exec(select(ChainStatus)).all()
        markets = session.exec(select(MarketStatus)).all()
        episodes = session.exec(select(Episode).where(col(Episode.closed_block).is_(None))).all()
        prices = session.exec(select(PriceStatus).order_by(PriceStatus.market, PriceStatus.symbol)).all()
        faults = session.exec(select(PriceFault).where(col(PriceFault.closed_block).is_(None))).all()
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
                "prices": [
                    {
                        **row.model_dump(mode="json", exclude={"memory"}),
                        "price": _text(row.price),
                        "second": _text(row.second),
                        "faults": [
                            {"kind": fault.kind, "detail": fault.detail, "since_block": fault.opened_block}
                            for fault in faults
                            if (fault.market, fault.asset) == (row.market, row.asset)
                        ],
                    }
                    for row in prices
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
        ["market", "block", "version", "state", "accounts", "below a threshold", "without a price"],
        [
            [
                m.market,
                str(m.block),
                f"{m.version or '?'} (revision {m.revision})",
                "acting" if m.acting else f"WATCHED ONLY: {m.reason}",
                str(m.accounts),
                str(m.breaches),
                str(m.unvaluable),
            ]
            for m in markets
        ],
    )
    if prices:
        print_table(
            "prices",
            ["market", "asset", "price", "source", "oldest feed", "second source", "state"],
            [_price(p) for p in prices],
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


def _price(row: PriceStatus) -> list[str]:
    return [
        row.market,
        row.symbol,
        _text(row.price) or "NONE",
        row.kind,
        "" if row.age is None else f"{row.age} s",
        _text(row.second) or "",
        row.state or "well",
    ]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _ago(moment: datetime) -> str:
    return f"{int((datetime.now(UTC) - moment).total_seconds())} s ago"
