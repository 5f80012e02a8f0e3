"""`keeper status`: what the daemon last wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from sqlmodel import col, select

from keeper.alerts.backlog import backlog
from keeper.cli.output import cell, console, print_json, print_table
from keeper.execution.pause_file import paused
from keeper.model.format import format_health, format_time
from keeper.protocols.registry import load
from keeper.service.markets import policies_of
from keeper.store.database import open_store
from keeper.store.tables.journal import Intent, SignerNonce
from keeper.store.tables.states import OPEN_INTENTS
from keeper.store.tables.watching import SALE, ChainStatus, Episode, MarketStatus, PriceFault, PriceStatus


def status(config: Path, *, as_json: bool) -> None:
    settings = load(config)
    policies = policies_of(settings)
    store = open_store(settings.store.url)
    with store.session() as session:
        chains = session.exec(select(ChainStatus)).all()
        markets = session.exec(select(MarketStatus)).all()
        episodes = session.exec(select(Episode).where(col(Episode.closed_block).is_(None))).all()
        prices = session.exec(select(PriceStatus).order_by(PriceStatus.market, PriceStatus.symbol)).all()
        faults = session.exec(select(PriceFault).where(col(PriceFault.closed_block).is_(None))).all()
        intents = session.exec(select(Intent).where(col(Intent.state).in_(OPEN_INTENTS))).all()
        signers = session.exec(select(SignerNonce)).all()
        pause = paused(session, settings.service.pause_file)
        untaken = backlog(session)
    if as_json:
        print_json(
            {
                "chains": [
                    {
                        **row.model_dump(mode="json"),
                        "native": None if row.native is None else str(row.native),
                    }
                    for row in chains
                ],
                "markets": [row.model_dump(mode="json") for row in markets],
                "episodes": [
                    {**row.model_dump(mode="json"), "lowest_health": str(row.lowest_health)}
                    for row in episodes
                ],
                "prices": [
                    {
                        **row.model_dump(mode="json", exclude={"memory"}),
                        "price": _text(row.price),
                        "second_price": _text(row.second_price),
                        "faults": [
                            {"kind": fault.kind, "detail": fault.detail, "since_block": fault.opened_block}
                            for fault in faults
                            if (fault.market, fault.asset) == (row.market, row.asset)
                        ],
                    }
                    for row in prices
                ],
                "intents": [row.model_dump(mode="json", exclude={"plan"}) for row in intents],
                "paused": pause,
                "alerts": [
                    {**asdict(each), "oldest": each.oldest and each.oldest.isoformat()} for each in untaken
                ],
                "signers": [row.model_dump(mode="json") for row in signers],
            }
        )
        return
    for line in [*([pause] if pause else []), *_foreign(signers)]:
        console.print(line, style="bold red", markup=False)
    if chains or markets:
        _daemon(chains, markets, pause)
    else:
        console.print("nothing has run with this store yet; `keeper run` starts the daemon", markup=False)
    if prices:
        print_table(
            "prices",
            ["market", "asset", "price", "source", "oldest feed", "second source", "state"],
            [_price(p) for p in prices],
        )
    if episodes:
        print_table(
            "open episodes",
            ["market", "account", "below", "since block", "lowest health", "held back by"],
            [
                [
                    e.market,
                    cell(e.account),
                    f"holds claims of {e.asset}"
                    if e.asset
                    else "sells what it absorbed"
                    if e.threshold == SALE
                    else policies.words(e.market, e.account, e.threshold),
                    str(e.opened_block),
                    "" if e.asset or e.threshold == SALE else format_health(e.lowest_health),
                    f"{e.blocked_reason}, opens {format_time(e.retry_at)}"
                    if e.retry_at
                    else e.blocked_reason,
                ]
                for e in episodes
            ],
        )
    if untaken:
        print_table(
            "alerts that a channel did not take",
            ["channel", "waiting", "oldest", "given up", "why"],
            [
                [
                    each.channel,
                    str(each.waiting),
                    _ago(each.oldest) if each.oldest else "",
                    str(each.given_up) if each.given_up else "",
                    each.failure,
                ]
                for each in untaken
            ],
        )
    if intents:
        print_table(
            "open intents",
            ["id", "market", "account", "kind", "mode", "attempt", "state"],
            [
                [str(i.id), i.market, cell(i.account), i.kind, i.mode, str(i.attempt), i.state]
                for i in intents
            ],
        )


def _daemon(chains: Sequence[ChainStatus], markets: Sequence[MarketStatus], pause: str) -> None:
    """What the daemon last wrote of chains and markets."""
    print_table(
        "chains",
        ["chain", "mode", "block", "acted at", "node", "requests", "gas money", "seen"],
        [
            [
                c.chain,
                c.mode,
                str(c.block),
                str(c.acted_block),
                _node(c),
                str(c.requests),
                _gas(c),
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
                _state(m, pause),
                str(m.accounts),
                str(m.breaches),
                str(m.unvaluable),
            ]
            for m in markets
        ],
    )


def _state(market: MarketStatus, pause: str) -> str:
    if not market.may_act:
        return f"WATCHED ONLY: {market.watch_only_reason}"
    return "paused" if pause else "acting"


def _foreign(signers: Sequence[SignerNonce]) -> list[str]:
    """What is known of keys that something else used too."""
    return [
        f"{row.sender} was used by something else on {row.chain}: {row.foreign} nonces, the last "
        f"{row.foreign_nonce} before block {row.foreign_block}"
        for row in signers
        if row.foreign
    ]


def _gas(chain: ChainStatus) -> str:
    """The signer's native coins, and the hours they last where a rate is known."""
    if chain.native is None:
        return ""
    coins = f"{chain.native / 10**18:.4f}"
    return coins if chain.gas_hours is None else f"{coins}, {chain.gas_hours} h"


def _node(chain: ChainStatus) -> str:
    if not chain.reachable:
        return f"UNREACHABLE: {chain.reason}"
    if chain.reason:
        return f"HELD: {chain.reason}"
    return f"WATCHES ONLY: {chain.standby_reason}" if chain.standby_reason else "answers"


def _price(row: PriceStatus) -> list[str]:
    return [
        row.market,
        row.symbol,
        _whole(row.price, row.decimals) or "NONE",
        row.kind,
        "" if row.age is None else f"{row.age} s",
        _whole(row.second_price, row.decimals),
        row.state or "well",
    ]


def _whole(price: int | None, decimals: int) -> str:
    """A price in whole units, with no digit lost."""
    if price is None:
        return ""
    return f"{Decimal(price).scaleb(-decimals).normalize():f}"


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _ago(format_time: datetime) -> str:
    return f"{int((datetime.now(UTC) - format_time).total_seconds())} s ago"
