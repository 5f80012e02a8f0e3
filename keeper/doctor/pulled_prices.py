"""A market's prices that must be brought: whether a service signs them and a contract of ours brings them."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain.head import Head
from keeper.config import table_of
from keeper.model.finding import Finding
from keeper.service import contract_versions
from keeper.service.markets import Market


def pulled_prices(market: Market, head: Head) -> Iterator[Finding]:
    """Lines where any price is wanted; the market must have been valued at `head`."""
    role = market.adapter.pulled
    wanted = role.wanted_prices(market.book.state) if role is not None else ()
    if not wanted:
        return
    table = f"markets.{market.name}.{table_of(market.settings.protocol)}"
    subject, pulled = f"market {market.name}, signed prices", market.pulled
    if pulled is None:
        yield Finding.warning(
            subject,
            f"{len({each.id for each in wanted})} prices must be brought, and nobody is named who signs them",
            f"Set {table}.price_service; until then only what others bring counts",
        )
        return
    for words in pulled.troubles.values():
        yield Finding.warning(subject, words, f"Check {table}.price_service; accounts with it wait meanwhile")
    if pulled.updates:
        oldest = head.timestamp - min(each.published for each in pulled.updates)
        fee = sum(each.fee for each in pulled.updates)
        told = f"{len(pulled.updates)} brought, the oldest {oldest} s old, for {fee} wei together"
        yield Finding.ok(subject, f"{told}; from {pulled.service.client.label}")
    yield _carrier(market, table)


def _carrier(market: Market, table: str) -> Finding:
    subject, address = f"market {market.name}, price carrier", market.settings.own.ours("price-carrier")
    deploy = f"keeper contracts deploy price-carrier --market {market.name} --live"
    if address is None:
        what = "none is configured: nobody is liquidated at prices that must be brought"
        return Finding.warning(subject, what, f"Make one: {deploy}")
    version = contract_versions.at(market.book.pool, "PriceCarrier", address)
    if version is None:
        what = f"{address} is not our PriceCarrier: no version of it has this code"
        return Finding.fault(subject, what, f"Correct {table}.price_carrier, or make one: {deploy}")
    return Finding.ok(subject, f"{address}, which nobody owns")
