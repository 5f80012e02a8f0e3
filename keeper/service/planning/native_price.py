"""The price of a chain's native coin in the unit of account: as configured, else from its markets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from eth_utils.address import is_hex_address

from keeper.chain import abi
from keeper.chain.calls import run as read
from keeper.config import ChainSettings, known_chain, native_coin
from keeper.model.money import WAD, money
from keeper.model.plan import NATIVE
from keeper.model.purse import Purse
from keeper.oracles.shapes import LATEST
from keeper.service.markets import Market
from keeper.service.watching.prices import Pricing

Known = Mapping[str, Purse]
"""What planning knows of some markets, by market name."""

# More than any feed has; a stranger's answer must not become a power of ten that fills the memory.
_MOST_DECIMALS = 36


def native_price(
    settings: ChainSettings, markets: Sequence[Market], purses: Known | None = None
) -> int | None:
    """Money that a whole native coin of the chain costs; None where its price is unknown.

    `[chains.NAME] native_price` comes first, then the old `policy.native_price`, then what a market of the
    chain pays (or last paid) for the wrapped coin, then the answer of a market's own oracle.
    """
    wanted = settings.chain.native_price
    if isinstance(wanted, Decimal):
        return money(wanted)
    own = [market for market in markets if market.book.head is not None]
    if isinstance(wanted, str):
        return _named(wanted, own, purses or {})
    if settings.policy.native_price is not None:
        return money(settings.policy.native_price)
    for name in wrapped_names(settings):
        if (found := _asset(name, own, purses or {})) is not None:
            return found
    return _paid_in_coin(own, purses or {})


def wrapped_names(settings: ChainSettings) -> tuple[str, ...]:
    """Address and symbol by which markets may list the wrapped native coin, and the coin's own symbol, which
    derivatives use; the surest first."""
    if settings.policy.wrapped_native is not None:
        return (settings.policy.wrapped_native,)
    row = known_chain(settings.chain.chain_id)
    if row is None:
        return ("WETH", "ETH")
    if row.wrapped is None:
        return ()
    return tuple(filter(None, (row.wrapped.address, row.wrapped.symbol, row.native)))


def native_price_assumption(settings: ChainSettings) -> str:
    """What is assumed about the coin's price, in words; empty where it is known or configured."""
    chain = settings.chain
    told = chain.native_price is not None or settings.policy.native_price is not None
    if told or settings.policy.wrapped_native is not None or known_chain(chain.chain_id) is not None:
        return ""
    return f"chain id {chain.chain_id} is not known: its coin is taken for ether, at WETH's price"


def unknown_native_price(settings: ChainSettings) -> tuple[str, str]:
    """Why the cost of gas on a chain is unknown, and what to do about it."""
    chain = settings.chain
    if isinstance(chain.native_price, str):
        what = f"no market or feed tells what {chain.native_price!r} costs"
    else:
        names = " or ".join(wrapped_names(settings)) or f"wrapped {native_coin(chain.chain_id)}"
        what = f"no market of the chain prices {names}"
    return (
        f"{what}: without the cost of gas nothing is liquidated",
        f"Set chains.{settings.name}.native_price: a number, an asset of any market, or a feed's address",
    )


def _named(name: str, own: Sequence[Market], purses: Known) -> int | None:
    """By name, in the chain's own markets before the others; then as a feed behind a market's prices, or one
    on this chain."""
    others = [each for run in own[:1] for each in run.neighbours if each.book.head is not None]
    everywhere = [*own, *(run for run in others if all(run is not each for each in own))]
    market, dot, asset = name.rpartition(".")
    if dot and (chosen := [run for run in everywhere if run.name == market]):
        return _asset(asset, chosen, purses)
    found = _asset(name, everywhere, purses)
    if found is None and is_hex_address(name):
        found = _feed(name.lower(), everywhere, own)
    return found


def _asset(name: str, markets: Sequence[Market], purses: Known) -> int | None:
    """What these markets pay, or last paid, for the asset with this symbol or address; else their oracles."""
    wanted = name.lower()
    for market in markets:
        for symbol in _symbols(market, wanted):
            if market.prices is not None and (paid := market.prices.market_price(symbol)):
                return market.rate.down(paid)
    for market in markets:
        for token, asset in market.adapter.planner.assets(market.book.state, _purse(market, purses)).items():
            if wanted in (token.lower(), asset.symbol.lower()) and asset.price:
                return market.rate.down(asset.price)
    return None


def _symbols(market: Market, wanted: str) -> Iterator[str]:
    """Symbols of the market's priced assets that go by this name."""
    for asset, symbol in (market.prices.symbols if market.prices else {}).items():
        if wanted in (asset.lower(), symbol.lower()):
            yield symbol


def _paid_in_coin(markets: Sequence[Market], purses: Known) -> int | None:
    """What markets say whose collateral is the coin itself, without a token for it."""
    for market in markets:
        coin = market.adapter.planner.assets(market.book.state, _purse(market, purses)).get(NATIVE)
        if coin is not None and coin.price:
            return market.rate.down(coin.price)
    return None


def _purse(market: Market, purses: Known) -> Purse:
    return purses.get(market.name) or Purse({}, market.prices.symbols if market.prices else {})


def _feed(address: str, everywhere: Sequence[Market], own: Sequence[Market]) -> int | None:
    """A feed's price in dollars; a feed that no market depends on is asked in a request of its own."""
    for market in everywhere:
        if market.prices is not None and (found := _observed(address, market.prices)) is not None:
            return found
    for market in own[:1]:
        assert market.book.head is not None
        asked = [abi.call(address, each) for each in ("decimals()", LATEST, "latestAnswer()")]
        decimals, newest_round, newest_answer = read(market.book.pool, market.book.head, asked)
        places, said = abi.word(decimals), abi.signed(newest_round, 1)
        said = abi.signed(newest_answer) if said is None else said
        return None if places is None or said is None else _scaled(said, places)
    return None


def _observed(address: str, prices: Pricing) -> int | None:
    """What a feed said when this market's prices were last read."""
    decimals = {feed.address: feed.decimals for feed in prices.feeds}
    for seen in prices.observed.values():
        for feed, newest in seen.rounds:
            places = decimals.get(feed)
            if feed.lower() == address and newest is not None and places is not None:
                return _scaled(newest.answer, places)
    return None


def _scaled(answer: int, decimals: int) -> int | None:
    if answer <= 0 or decimals > _MOST_DECIMALS:
        return None
    return answer * WAD // 10**decimals or None
