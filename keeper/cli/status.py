"""`keeper status`: what the daemon last stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import col, select

from keeper.alerts.backlog import backlog
from keeper.cli.output import cell, console, exact, print_json, print_rows, print_table
from keeper.execution.pause_file import paused
from keeper.model.format import format_amount, format_health, format_time
from keeper.policy.levels import Policies
from keeper.protocols.registry import load
from keeper.service.markets import policies_of
from keeper.store.database import open_store
from keeper.store.tables.journal import Intent, SignerNonce
from keeper.store.tables.states import OPEN_INTENTS
from keeper.store.tables.watching import (
    CHORES,
    SALE,
    UPKEEP,
    WORK,
    ChainStatus,
    Episode,
    MarketStatus,
    PriceFault,
    PriceStatus,
)


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
                "chains": [{**row.model_dump(mode="json"), **exact(row, "native")} for row in chains],
                "markets": [row.model_dump(mode="json") for row in markets],
                "episodes": [
                    {**row.model_dump(mode="json"), **exact(row, "lowest_health")} for row in episodes
                ],
                "prices": [
                    {
                        **row.model_dump(mode="json", exclude={"memory"}),
                        **exact(row, "price", "second_price"),
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
        print_rows(
            "prices",
            prices,
            {
                "market": lambda p: p.market,
                "asset": lambda p: p.symbol,
                "price": lambda p: _whole(p.price, p.decimals) or "NONE",
                "source": lambda p: p.kind,
                "oldest feed": lambda p: "" if p.age is None else f"{p.age} s",
                "second source": lambda p: _whole(p.second_price, p.decimals),
                "state": lambda p: p.state or "well",
            },
        )
    if episodes:
        print_rows(
            "open episodes",
            episodes,
            {
                "market": lambda e: e.market,
                "account": lambda e: cell(e.account),
                "below": lambda e: _threshold(e, policies),
                "since block": lambda e: str(e.opened_block),
                "lowest health": lambda e: (
                    "" if e.asset or e.threshold in WORK else format_health(e.lowest_health)
                ),
                "held back by": lambda e: (
                    e.blocked_reason + (f", opens {format_time(e.retry_at)}" if e.retry_at else "")
                ),
            },
        )
    if untaken:
        print_rows(
            "alerts that a channel did not take",
            untaken,
            {
                "channel": lambda b: b.channel,
                "waiting": lambda b: str(b.waiting),
                "oldest": lambda b: _ago(b.oldest) if b.oldest else "",
                "given up": lambda b: str(b.given_up) if b.given_up else "",
                "why": lambda b: b.failure,
            },
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
    """What the daemon last stored of chains and markets."""
    print_rows(
        "chains",
        chains,
        {
            "chain": lambda c: c.chain,
            "mode": lambda c: c.mode,
            "block": lambda c: str(c.block),
            "acted at": lambda c: str(c.acted_block),
            "node": _node,
            "requests": lambda c: str(c.requests),
            "gas money": _gas,
            "seen": lambda c: _ago(c.updated_at),
        },
    )
    print_rows(
        "markets",
        markets,
        {
            "market": lambda m: m.market,
            "block": lambda m: str(m.block),
            "version": lambda m: f"{m.version or '?'} (revision {m.revision})",
            "state": lambda m: _state(m, pause),
            "accounts": lambda m: str(m.accounts),
            "below a threshold": lambda m: str(m.breaches),
            "without a price": lambda m: str(m.unvaluable),
        },
    )


def _threshold(episode: Episode, policies: Policies) -> str:
    if episode.asset:
        return f"holds claims of {episode.asset}"
    if episode.threshold == SALE:
        return "sells what it absorbed"
    if episode.threshold == UPKEEP:
        return "has an order to settle"
    if episode.threshold == CHORES:
        return "wants unpaid upkeep"
    return policies.words(episode.market, episode.account, episode.threshold)


def _state(market: MarketStatus, pause: str) -> str:
    if not market.may_act:
        return f"WATCHED ONLY: {market.watch_only_reason}"
    return "paused" if pause else "acting"


def _foreign(signers: Sequence[SignerNonce]) -> list[str]:
    """Keys known to be used by something else too."""
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


def _whole(price: int | None, decimals: int) -> str:
    return "" if price is None else format_amount(price, decimals)


def _ago(format_time: datetime) -> str:
    return f"{int((datetime.now(UTC) - format_time).total_seconds())} s ago"
