"""Second sources: prices from elsewhere that a market's own price is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from keeper.chain import abi
from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, run
from keeper.chain.pool import NodePool
from keeper.config import ChainlinkSource, PythSource, UniswapV3Source
from keeper.config.markets import SecondSource
from keeper.errors import ConfigError
from keeper.oracles import shapes

# Digits of the mean price: far more than any price has.
PRECISION = 60
TICK = Decimal("1.0001")


@dataclass(frozen=True, slots=True)
class SecondPrice:
    """A second price in base currency units per whole asset, or why there is none (`price` None)."""

    price: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class SourcePair:
    """A Uniswap v3 pool seen from the asset: the other token, and the direction of the ticks."""

    quote: str
    asset_is_first: bool
    asset_decimals: int
    quote_decimals: int


@dataclass(frozen=True, slots=True)
class Second:
    """A configured second source with the facts that never change."""

    settings: SecondSource
    pair: SourcePair | None = None


def prepare(pool: NodePool, head: Head, asset: str, settings: SecondSource, where: str) -> Second:
    """Read once what never changes. ConfigError when a pool does not hold this asset. A feed that does not
    answer raises no error: it may be down on the very day of a restart, and is reported as silent."""
    if isinstance(settings, UniswapV3Source):
        return Second(settings, _pair(pool, head, asset, settings, where))
    return Second(settings)


def _pair(pool: NodePool, head: Head, asset: str, settings: UniswapV3Source, where: str) -> SourcePair:
    answers = run(pool, head, [abi.call(settings.address, each) for each in ("token0()", "token1()")])
    first, second = (abi.address(each) for each in answers)
    if first is None or second is None or asset not in (first, second):
        raise ConfigError(
            f"is no Uniswap v3 pool of {asset}",
            where=f"{where}.second_source.address {settings.address}",
            remedy="Name a pool with this asset as one of its tokens",
        )
    quote = second if asset == first else first
    answers = run(pool, head, [abi.call(token, "decimals()") for token in (asset, quote)])
    own, other = (abi.word(each) for each in answers)
    if own is None or other is None:
        raise ConfigError(
            "has a token without decimals", where=f"{where}.second_source.address {settings.address}"
        )
    return SourcePair(quote, asset == first, own, other)


def calls(second: Second) -> list[Call]:
    """The calls that `read` decodes."""
    settings = second.settings
    if isinstance(settings, UniswapV3Source):
        return [abi.call(settings.address, "observe(uint32[])", [settings.window, 0])]
    if isinstance(settings, PythSource):
        price_id = bytes.fromhex(settings.price_id[2:])
        return [abi.call(settings.address, "getPriceUnsafe(bytes32)", price_id)]
    return [
        abi.call(settings.address, "decimals()"),
        abi.call(settings.address, shapes.LATEST),
        abi.call(settings.address, "latestAnswer()"),
    ]


def read(
    second: Second,
    answers: Mapping[Call, Answer],
    base_decimals: int,
    timestamp: int,
    market_price: Callable[[str], int | None],
) -> SecondPrice:
    """The second price at a block. `market_price` answers the market's price of a pool's other token."""
    settings = second.settings
    found = [answers[call] for call in calls(second)]
    if isinstance(settings, UniswapV3Source):
        assert second.pair is not None
        return _mean(settings, second.pair, found[0], base_decimals, market_price)
    if isinstance(settings, PythSource):
        return _pyth(settings, found[0], base_decimals, timestamp)
    return _chainlink(settings, found, base_decimals, timestamp)


def _chainlink(
    settings: ChainlinkSource, found: list[Answer], base_decimals: int, timestamp: int
) -> SecondPrice:
    decimals, newest, latest = found
    scale = abi.word(decimals)
    if shapes.is_round(newest):
        answer, updated = abi.signed(newest, 1), abi.word(newest, 3)
    else:
        # An adapter tells its answer alone, without a time.
        answer, updated = abi.signed(latest), None
    if scale is None or answer is None:
        return SecondPrice(None, "the second source does not answer")
    return _scaled(answer, -scale, base_decimals, updated, settings.heartbeat, timestamp)


def _pyth(settings: PythSource, answer: Answer, base_decimals: int, timestamp: int) -> SecondPrice:
    price, exponent, published = abi.signed(answer), abi.signed(answer, 2), abi.word(answer, 3)
    interval = abi.word(answer, 1)
    if price is None or exponent is None or interval is None:
        return SecondPrice(None, "the second source does not answer")
    if price > 0 and interval > settings.max_uncertainty * price:
        return SecondPrice(None, f"the second source is unsure: {price} ± {interval}")
    return _scaled(price, exponent, base_decimals, published, settings.heartbeat, timestamp)


def _scaled(
    answer: int,
    exponent: int,
    base_decimals: int,
    updated: int | None,
    heartbeat: int | None,
    timestamp: int,
) -> SecondPrice:
    if answer <= 0:
        return SecondPrice(None, f"the second source says {answer}")
    if heartbeat is not None and updated is not None and timestamp - updated > heartbeat:
        return SecondPrice(
            None, f"the second source is {timestamp - updated} s old, its heartbeat {heartbeat}"
        )
    shift = exponent + base_decimals
    return SecondPrice(answer * 10**shift if shift >= 0 else answer // 10**-shift)


def _mean(
    settings: UniswapV3Source,
    pair: SourcePair,
    answer: Answer,
    base_decimals: int,
    market_price: Callable[[str], int | None],
) -> SecondPrice:
    """The geometric mean over the window: 1.0001 to the mean tick, ticks rounded down as Uniswap does."""
    before, now = abi.signed(answer, 3), abi.signed(answer, 4)
    if before is None or now is None:
        return SecondPrice(None, f"the second source has no {settings.window} s of history")
    quote_price = (
        market_price(pair.quote)
        if settings.quote_price is None
        else int(settings.quote_price * 10**base_decimals)
    )
    if not quote_price:
        return SecondPrice(None, "the second source's other token has no price")
    with localcontext() as context:
        context.prec = PRECISION
        ratio = TICK ** ((now - before) // settings.window)
        if not pair.asset_is_first:
            ratio = 1 / ratio
        price = ratio * Decimal(10) ** (pair.asset_decimals - pair.quote_decimals) * quote_price
        return SecondPrice(int(price))
