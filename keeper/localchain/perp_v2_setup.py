"""Steps of deploying Perp v2: its contracts, a market with its price feed and pool, collaterals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.localchain.deployer import Deployer
from keeper.localchain.perp_v2_market import (
    BaseSpec,
    CurieBuild,
    CurieSpec,
    LocalBase,
    LocalVaultCollateral,
    VaultCollateralSpec,
)
from keeper.localchain.perp_v2_sources import (
    curie_artifact,
    curie_feed_artifact,
    initializer,
    pool_factory_artifact,
)
from keeper.localchain.tokens import FEED_DECIMALS, create_feed, create_zero_first
from keeper.localchain.uniswap_v3 import Token, sqrt_price

UNLIMITED = 2**255
AVERAGED = 15 * 60
"""Seconds of the average index price that the feeds cache."""
_OBSERVATIONS = 250
_COLLATERAL = "(address,uint24,uint24,uint256)"


@dataclass(frozen=True)
class CurieCore:
    """Addresses of the contracts that exist once."""

    clearing_house: str
    vault: str
    exchange: str
    order_book: str
    account_balance: str
    insurance_fund: str
    registry: str
    config: str
    collateral_manager: str
    delegate_approval: str
    factory: str


def create_tokens(queue: Deployer, build: CurieBuild, count: int) -> tuple[str, list[str]]:
    """Queue the quote token and `count` base tokens: (quote, bases). Every pool requires the quote's address
    to be the higher, so the token that will have the highest is the quote."""
    coming = queue.upcoming(count + 1)
    quote = max(coming, key=lambda address: int(address, 16))
    for address in coming:
        name = "QuoteToken" if address == quote else "BaseToken"
        queue.create(curie_artifact(build, name))
    queue.call(quote, initializer(curie_artifact(build, "QuoteToken")), "vUSD", "vUSD")
    return quote, [address for address in coming if address != quote]


def create_core(queue: Deployer, build: CurieBuild, usd: str, quote: str, spec: CurieSpec) -> CurieCore:
    """Queue the contracts that exist once, connected with each other."""
    factory = queue.create(pool_factory_artifact())
    config = _create(queue, build, "ClearingHouseConfig")
    fund = _create(queue, build, "InsuranceFund", usd)
    registry = _create(queue, build, "MarketRegistry", factory, quote)
    book = _create(queue, build, "OrderBook", registry)
    balance = _create(queue, build, "AccountBalance", config, book)
    exchange = _create(queue, build, "Exchange", registry, book, config)
    queue.call(book, "setExchange(address)", exchange)
    queue.call(exchange, "setAccountBalance(address)", balance)
    vault = _create(queue, build, "Vault", fund, config, balance, exchange)
    queue.call(fund, "setVault(address)", vault)
    queue.call(balance, "setVault(address)", vault)
    manager = _create(
        queue, build, "CollateralManager",
        config, vault, spec.max_collaterals, spec.debt_to_collateral, spec.liquidation_ratio,
        spec.mm_ratio_buffer, spec.collateral_fee, spec.debt_threshold, spec.collateral_dust,
    )  # fmt: skip
    queue.call(vault, "setCollateralManager(address)", manager)
    house = _create(queue, build, "ClearingHouse", config, vault, quote, factory, exchange, balance, fund)
    for each in (vault, registry, book, balance, exchange):
        queue.call(each, "setClearingHouse(address)", house)
    approval = _create(queue, build, "DelegateApproval")
    queue.call(house, "setDelegateApproval(address)", approval)
    queue.call(config, "setSettlementTokenBalanceCap(uint256)", UNLIMITED)
    return CurieCore(
        house, vault, exchange, book, balance, fund, registry, config, manager, approval, factory
    )


def hand_over(queue: Deployer, house: str, token: str) -> None:
    """Queue minting all of a virtual token to the clearing house and allowing it to transfer it."""
    queue.call(token, "mintMaximumTo(address)", house)
    queue.call(token, "addWhitelist(address)", house)


def create_base(
    queue: Deployer, build: CurieBuild, core: CurieCore, quote: str, token: str, spec: BaseSpec, timeout: int
) -> tuple[str, str, str]:
    """Queue a market's price source, base token and pool: (aggregator, feed, dispatcher)."""
    aggregator = create_feed(queue, spec.price)
    feed = queue.create(curie_feed_artifact("ChainlinkPriceFeedV3"), aggregator, timeout, AVERAGED)
    dispatcher = queue.create(curie_feed_artifact("PriceFeedDispatcher"), feed)
    setup = initializer(curie_artifact(build, "BaseToken"))
    queue.call(token, setup, spec.symbol, spec.symbol, dispatcher)
    hand_over(queue, core.clearing_house, token)
    queue.call(core.factory, "createPool(address,address,uint24)", token, quote, spec.fee)
    return aggregator, feed, dispatcher


def open_market(queue: Deployer, core: CurieCore, quote: str, market: LocalBase) -> None:
    """Queue the initialisation of a market's pool at its first price, and its registration."""
    root = sqrt_price(*pool_tokens(market.token, quote, market.spec.price))
    queue.call(market.pool, "initialize(uint160)", root)
    queue.call(market.pool, "increaseObservationCardinalityNext(uint16)", _OBSERVATIONS)
    for token in (market.token, quote):
        queue.call(token, "addWhitelist(address)", market.pool)
    queue.call(core.registry, "addPool(address,uint24)", market.token, market.spec.fee)
    share = (market.token, market.spec.insurance_fee)
    queue.call(core.registry, "setInsuranceFundFeeRatio(address,uint24)", *share)
    limit = (market.token, market.spec.max_ticks)
    queue.call(core.exchange, "setMaxTickCrossedWithinBlock(address,uint24)", *limit)


def pool_tokens(base: str, quote: str, price: int) -> tuple[Token, Token]:
    """(base, quote) of a market's pool, the base token at this price (8 decimals)."""
    return Token(base, 18, price), Token(quote, 18, 10**FEED_DECIMALS)


def admit_collaterals(
    queue: Deployer, core: CurieCore, specs: Sequence[VaultCollateralSpec]
) -> Mapping[str, LocalVaultCollateral]:
    """Queue collateral tokens and their admission, priced by the feed that reads Chainlink's own rounds."""
    if not specs:
        return {}
    # An answer of 0 means that the sequencer is up; its time, that it has been up long enough.
    sequencer = create_feed(queue, 0)
    queue.call(sequencer, "updateRoundData(uint80,int256,uint256,uint256)", 1, 0, 1, 1)
    made = {}
    for spec in specs:
        token = create_zero_first(queue, spec.symbol, spec.symbol, spec.decimals)
        aggregator = create_feed(queue, spec.price)
        feed = queue.create(curie_feed_artifact("ChainlinkPriceFeedV1R1"), aggregator, sequencer)
        terms = (feed, spec.collateral_ratio, spec.discount_ratio, spec.deposit_cap)
        queue.call(core.collateral_manager, f"addCollateral(address,{_COLLATERAL})", token, terms)
        made[spec.symbol] = LocalVaultCollateral(spec.symbol, token, aggregator, feed)
    return made


def _create(queue: Deployer, build: CurieBuild, name: str, *arguments: object) -> str:
    contract = curie_artifact(build, name)
    at = queue.create(contract)
    queue.call(at, initializer(contract), *arguments)
    return at
