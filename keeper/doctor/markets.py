"""A market: the contract at its address, whether our numbers match its own, and what may stop actions."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain import blocks
from keeper.chain.contract_reads import ContractReads
from keeper.config import ChainSettings
from keeper.doctor.prices import price_lines
from keeper.doctor.pulled_prices import pulled_prices
from keeper.model.account_key import account_key
from keeper.model.finding import Finding
from keeper.oracles.sequencer import Sequencer
from keeper.protocols.identity import identify
from keeper.protocols.registry import PROTOCOLS
from keeper.service.markets import Market
from keeper.service.watching.unknown_names import misnamed
from keeper.service.watching.unknown_sources import UnknownSources
from keeper.service.watching.value import value


def contract(market: Market) -> Iterator[Finding]:
    """The contract at the configured address; ConfigError when it is no market."""
    pool = market.book.pool
    found = identify(pool, blocks.latest(pool), market.adapter.contract)
    subject = f"market {market.name}, contract"
    if found.led_from is not None:
        yield Finding.fault(
            subject,
            f"{found.led_from} is not {PROTOCOLS[found.protocol].title} but leads to it",
            f'Set markets.{market.name}.address = "{found.address}"',
        )
        return
    if found.protocol != market.adapter.protocol:
        yield Finding.fault(
            subject,
            f"{found.address} is {PROTOCOLS[found.protocol].title}",
            f'Set markets.{market.name}.protocol = "{found.protocol}"',
        )
        return
    yield Finding.ok(subject, f"{found.address} is {PROTOCOLS[found.protocol].title}")


def market(settings: ChainSettings, market: Market) -> Iterator[Finding]:
    """Check revision, parity, sentinel, protected accounts and the price of gas."""
    head = blocks.latest(market.book.pool)
    prices = market.prices
    assert prices is not None, "doctor builds markets that judge prices"
    at = value(market, head)
    version = market.adapter.valuer.version(market.book.state)
    revision = market.adapter.valuer.revision(market.book.state)
    if halted := at.memory.watch_only.reason:
        yield Finding.fault(
            f"market {market.name}",
            f"watched only: {halted}",
            "Wait for a keeper that knows this version; nothing is sent meanwhile",
        )
    else:
        detail = f"{market.adapter.protocol} {version or '?'} (revision {revision}), {at.accounts} accounts"
        if at.accounts:
            yield Finding.ok(f"market {market.name}", detail)
        else:
            remedy = f"Check markets.{market.name}.from_block and address, unless the market is new"
            yield Finding.warning(f"market {market.name}", f"{detail}: nobody was ever here", remedy)
        yield Finding.ok(f"market {market.name}, parity", "a sample equals the contract's own view")
    yield from price_lines(prices, UnknownSources().hanging(market, at))
    yield from pulled_prices(market, at.head)
    if prices.chain.sequencer_feed is not None:
        yield _sequencer(market.name, prices.chain.sequencer_feed, prices.sequencer)
    checks = PROTOCOLS[market.adapter.protocol].checks
    if checks is not None:
        reads = ContractReads(market.book.pool, head)
        watches = prices.chain.sequencer_feed is not None
        yield from checks(reads, market.name, market.adapter.contract, watches_sequencer=watches)
    for i, protect in settings.protect.items():
        if protect.market == market.name and not market.of([account_key(protect.account)]):
            yield Finding.warning(
                f"protect[{i}]",
                f"{protect.account} has no position in {market.name}",
                "Check the address, or the market's from_block",
            )
    for wrong in misnamed(settings, market, head):
        yield Finding.fault(wrong.where, wrong.what, wrong.remedy)
    for what, remedy in market.adapter.explainer.setup_warnings(market.book.state):
        yield Finding.warning(f"market {market.name}, trust", what, remedy)


def _sequencer(market: str, feed: str, said: Sequencer) -> Finding:
    subject = f"market {market}, sequencer"
    if said.complaint:
        remedy = "Nothing is sent until it is up; if it is, correct sequencer_feed"
        return Finding.fault(subject, said.complaint, remedy)
    return Finding.ok(subject, f"up since {said.up_since} by {feed}")
