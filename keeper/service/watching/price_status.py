"""Prices in the store: their visible state, the episodes of their faults, and what guards must not forget."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from pydantic import TypeAdapter, ValidationError
from sqlmodel import Session, col, select

from keeper.alerts import price_alerts as alerts
from keeper.oracles.guards import FaultKind, Judgement, Memory
from keeper.service.markets import Market
from keeper.service.watching.market_valuation import MarketValuation
from keeper.service.watching.prices import Pricing
from keeper.service.watching.unknown_sources import UnknownSources, remedy
from keeper.store.database import Store
from keeper.store.tables.watching import PriceFault, PriceStatus

# A feed may say that it was updated at any second; a store keeps no more.
MOST_AGE = 2**62
DAY = 24 * 3600
_MEMORY = TypeAdapter(Memory)

PRICELESS: frozenset[FaultKind] = frozenset({"zero", "negative", "reverting"})
"""The faults that leave the protocol itself without a price."""


def restore(store: Store, prices: Pricing) -> None:
    """Give the guards back what they remembered before a restart."""
    with store.session() as session:
        rows = session.exec(select(PriceStatus).where(PriceStatus.market == prices.market)).all()
        found = {row.asset: _memory(row.memory) for row in rows if row.memory}
        prices.memories = {asset: memory for asset, memory in found.items() if memory is not None}


def write(
    session: Session, market: Market, valued: MarketValuation, protected: list[str], unknown: UnknownSources
) -> None:
    """Write the prices of this block, and an alert for each fault that began or ended."""
    prices = market.prices
    if prices is None:
        return
    decimals = market.adapter.explainer.base_decimals(market.book.state)
    _say_what_hangs(market, valued, unknown)
    known = session.exec(select(PriceStatus).where(PriceStatus.market == market.name)).all()
    kept = {row.asset: row for row in known}
    for asset in prices.watched:
        row = _row(prices, asset, valued.head.number, decimals)
        if asset in kept:
            kept[asset].sqlmodel_update(row.model_dump())
        else:
            session.add(row)
    stays = session.exec(
        select(PriceFault).where(PriceFault.market == market.name, col(PriceFault.closed_block).is_(None))
    ).all()
    left = {(row.asset, row.kind): row for row in stays}
    open_ids: list[int] = []
    for asset, judgement in prices.judgements.items():
        for fault in judgement.faults:
            stay = left.pop((asset, fault.kind), None)
            if stay is None:
                stay = PriceFault(
                    market=market.name,
                    asset=asset,
                    symbol=prices.watched[asset].symbol,
                    kind=fault.kind,
                    detail=fault.detail,
                    opened_block=valued.head.number,
                )
                session.add(stay)
                session.flush()
                strange = market.is_strangers(asset)
                alerts.fault_opened(
                    session,
                    stay,
                    hold=_held(judgement),
                    unvaluable=len(valued.unvaluable),
                    strangers_day=valued.head.timestamp // DAY if strange else None,
                )
            elif stay.detail != fault.detail:
                stay.detail = fault.detail
            if stay.id is not None and fault.kind in PRICELESS:
                open_ids.append(stay.id)
    for stay in left.values():
        stay.closed_block = valued.head.number
        if not market.is_strangers(stay.asset):
            alerts.fault_closed(session, stay)
    for account in market.of(protected):
        if account in valued.unvaluable:
            alerts.owner_unvaluable(
                session, market.name, account, valued.unvaluable[account], sorted(open_ids)
            )


def _say_what_hangs(market: Market, valued: MarketValuation, unknown: UnknownSources) -> None:
    """Complete the report of sources of unknown kind: how much they hold up, and what to set."""
    prices = market.prices
    assert prices is not None
    for asset, found in unknown.hanging(market, valued).items():
        judged = prices.judgements[asset]
        more = (
            found.words
            if prices.settings.unknown_oracles == "act"
            else f"{found.words}; {remedy(market.name)}"
        )
        faults = tuple(
            replace(each, detail=f"{each.detail}: {more}") if each.kind == "unresolved" else each
            for each in judged.faults
        )
        prices.judgements[asset] = replace(judged, faults=faults)


def _row(prices: Pricing, asset: str, block: int, decimals: int) -> PriceStatus:
    watched, judgement, seen = prices.watched[asset], prices.judgements[asset], prices.observed[asset]
    ages = [seen.timestamp - newest.updated_at for _, newest in seen.rounds if newest is not None]
    faults = "; ".join(f"{fault.kind.replace('_', ' ')}: {fault.detail}" for fault in judgement.faults)
    return PriceStatus(
        market=prices.market,
        asset=asset,
        symbol=watched.symbol,
        source=watched.source.address,
        kind=watched.source.kind,
        block=block,
        decimals=decimals,
        price=seen.price,
        second_price=seen.second.price if seen.second else None,
        age=max(-MOST_AGE, min(max(ages), MOST_AGE)) if ages else None,
        state=f"{faults or judgement.hold} ({_held(judgement)})" if faults or judgement.hold else "",
        memory=json.dumps(asdict(prices.memories[asset])),
    )


def _held(judgement: Judgement) -> str:
    """What a price's faults hold up, in words."""
    if judgement.closed:
        return "nothing is done for accounts with it"
    actions = ["top-ups wait"] if judgement.hold else []
    if judgement.market_price is None:
        actions.append("liquidations wait")
    return " and ".join(actions) or "nothing is held up"


def _memory(text: str) -> Memory | None:
    """The guard's memory; None for one of an earlier version, which knew a round by its id alone."""
    try:
        return _MEMORY.validate_json(text)
    except ValidationError:
        return None
