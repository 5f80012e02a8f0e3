"""A chain's gas: its cost in money, its ceilings, and charges besides."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain import blocks
from keeper.chain.pool import NodePool
from keeper.config import ChainSettings, known_chain, native_coin
from keeper.config.known_chains import DataFee as Kind
from keeper.model.finding import Finding
from keeper.model.format import format_money
from keeper.service.markets import Market
from keeper.service.planning import data_fees
from keeper.service.planning.gas_ceilings import GasCeilings, gas_ceilings, gas_level
from keeper.service.planning.native_price import native_price, native_price_assumption, unknown_native_price


def gas(settings: ChainSettings, pool: NodePool, markets: list[Market]) -> Iterator[Finding]:
    """Check the gas of one chain, with its markets that have been read."""
    found = gas_ceilings(settings, gas_level(pool))
    fee = data_fees.probe(pool, blocks.latest(pool))
    if markets:
        yield _price(settings, markets, found, fee)
    yield from _data_fee(settings, fee)
    yield from _known(settings)


def _price(settings: ChainSettings, markets: list[Market], found: GasCeilings, fee: Kind) -> Finding:
    """The source of the native coin's price, and the most that gas may cost."""
    subject = f"chain {settings.name}, gas price"
    known = {
        market.name: market.purse(blocks.latest(market.book.pool), market.adapter.contract)
        for market in markets
    }
    price = native_price(settings, markets, known)
    if price is None:
        return Finding.warning(subject, *unknown_native_price(settings))
    besides = "" if fee == "none" else f"; data is charged besides gas, as on {fee} chains"
    coin = native_coin(settings.chain.chain_id)
    counted = f"a native coin ({coin}) is counted as {format_money(price)}; ceilings: {found.words}{besides}"
    assumed = native_price_assumption(settings)
    if assumed:
        remedy = f"Set chains.{settings.name}.native_price"
        return Finding.warning(subject, f"{counted}; {assumed}", remedy)
    return Finding.ok(subject, counted)


def _data_fee(settings: ChainSettings, found: Kind) -> Iterator[Finding]:
    """Compare the configuration with the answers of the chain's contracts."""
    configured = settings.chain.data_fee
    if configured is None or configured == found:
        return
    cost = "its cost would be counted too low" if configured == "none" else "liquidations cannot be planned"
    yield Finding(
        f"chain {settings.name}, data fee",
        "warning" if configured == "none" else "fault",
        f"the configuration says {configured!r}, the chain's contracts {found!r}: {cost}",
        f'Set chains.{settings.name}.data_fee = "{found}", or leave it out',
    )


def _known(settings: ChainSettings) -> Iterator[Finding]:
    """Published facts about this chain id that the configuration lacks or contradicts."""
    at = settings.chain
    row = known_chain(at.chain_id)
    if row is None or row.sequencer_feed is None:
        return
    if at.sequencer_feed is None:
        yield Finding.warning(
            f"chain {settings.name}, sequencer",
            "nothing tells when its sequencer is down",
            f'Set chains.{settings.name}.sequencer_feed = "{row.sequencer_feed}"',
        )
    elif at.sequencer_feed.lower() != row.sequencer_feed.lower():
        yield Finding.warning(
            f"chain {settings.name}, sequencer",
            f"sequencer_feed is not the published one, {row.sequencer_feed}",
            "Check it",
        )
