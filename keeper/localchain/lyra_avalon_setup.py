"""Steps of deploying Lyra Avalon: the double of Synthetix, its own contracts and their parameters, boards."""

from __future__ import annotations

from dataclasses import astuple

from keeper.localchain.deployer import Deployer
from keeper.localchain.lyra_avalon_market import (
    AvalonContracts,
    AvalonSpec,
    BoardSpec,
    LocalBoard,
    LocalStrike,
    SynthetixDouble,
)
from keeper.localchain.lyra_avalon_sources import (
    avalon_artifact,
    avalon_library,
    signature_of,
    synthetix_double,
)

DOLLAR_KEY = "sUSD"


def create_double(queue: Deployer, symbol: str) -> SynthetixDouble:
    """Queue the double, with a dollar and a token of this symbol, which only permitted accounts may mint."""
    return SynthetixDouble(
        synthetix=queue.create(synthetix_double("SynthetixReturnZero")),
        exchanger=queue.create(synthetix_double("Exchanger")),
        rates=queue.create(synthetix_double("ExchangeRates")),
        approvals=queue.create(synthetix_double("DelegateApprovals")),
        shorts=queue.create(synthetix_double("CollateralShort")),
        resolver=queue.create(synthetix_double("AddressResolver")),
        quote=queue.create(synthetix_double("ERC20Fail"), "Synthetic USD", DOLLAR_KEY),
        base=queue.create(synthetix_double("ERC20Fail"), f"Synthetic {symbol}", base_key(symbol)),
    )


def create_contracts(queue: Deployer, symbol: str) -> AvalonContracts:
    """Queue the creation of the market's contracts, not yet connected."""
    libraries = {name: queue.create(avalon_library(name)) for name in ("GWAV", "BlackScholes")}
    pair = f"{DOLLAR_KEY}/{base_key(symbol)}"
    adapter = queue.create(avalon_artifact("SynthetixAdapter"))
    queue.call(adapter, "initialize()")
    return AvalonContracts(
        market=queue.create(avalon_artifact("OptionMarket")),
        token=queue.create(avalon_artifact("OptionToken"), f"{pair} Option Tokens", "LyraEOT"),
        greek_cache=queue.create(avalon_artifact("OptionGreekCache"), libraries=libraries),
        pricer=queue.create(avalon_artifact("OptionMarketPricer")),
        short_collateral=queue.create(avalon_artifact("ShortCollateral")),
        pool=queue.create(avalon_artifact("LiquidityPool")),
        pool_token=queue.create(avalon_artifact("LiquidityToken"), f"{pair} Pool Tokens", "LyraELPT"),
        hedger=queue.create(avalon_artifact("ShortPoolHedger")),
        adapter=adapter,
    )


def connect_double(queue: Deployer, double: SynthetixDouble, at: AvalonContracts, spec: AvalonSpec) -> None:
    """Queue the double's configuration for the market: addresses, minters, fees and the first rate."""
    named = {
        "ProxySynthetix": double.synthetix,
        "Exchanger": double.exchanger,
        "ExchangeRates": double.rates,
        "CollateralShort": double.shorts,
        "DelegateApprovals": double.approvals,
    }
    base, quote = key(base_key(spec.symbol)), key(DOLLAR_KEY)
    names = [key(name) for name in named]
    queue.call(double.resolver, "setAddresses(bytes32[],address[])", names, list(named.values()))
    queue.call(double.synthetix, "init(address,address,address)", at.adapter, double.quote, double.resolver)
    queue.call(double.shorts, "init(address,address)", at.adapter, double.quote)
    for user in (double.synthetix, double.shorts):
        queue.call(user, "addBaseAsset(bytes32,address,address)", base, double.base, at.market)
        for token in (double.quote, double.base):
            queue.call(token, "permitMint(address,bool)", user, True)
    fee = "setFeeRateForExchange(bytes32,bytes32,uint256)"
    queue.call(double.exchanger, fee, base, quote, spec.base_fee)
    queue.call(double.exchanger, fee, quote, base, spec.quote_fee)
    queue.call(double.rates, "setRateAndInvalid(bytes32,uint256,bool)", base, spec.spot, False)
    queue.call(at.adapter, "setAddressResolver(address)", double.resolver)
    serve = "setGlobalsForContract(address,bytes32,bytes32,address,bytes32)"
    queue.call(at.adapter, serve, at.market, quote, base, spec.market.security_module, key(""))


def connect_contracts(queue: Deployer, at: AvalonContracts, double: SynthetixDouble) -> None:
    """Queue the initialisation of each contract with the others' addresses."""
    tokens = (double.quote, double.base)
    connections = {
        at.market: (
            "OptionMarket",
            (at.adapter, at.pool, at.pricer, at.greek_cache, at.short_collateral, at.token, *tokens),
        ),
        at.pricer: ("OptionMarketPricer", (at.market, at.greek_cache)),
        at.greek_cache: ("OptionGreekCache", (at.adapter, at.market, at.pricer)),
        at.pool: (
            "LiquidityPool",
            (at.adapter, at.market, at.pool_token, at.greek_cache, at.hedger, at.short_collateral, *tokens),
        ),
        at.pool_token: ("LiquidityToken", (at.pool,)),
        at.hedger: ("ShortPoolHedger", (at.adapter, at.market, at.greek_cache, at.pool, *tokens)),
        at.short_collateral: ("ShortCollateral", (at.market, at.pool, at.token, at.adapter, *tokens)),
        at.token: ("OptionToken", (at.market, at.greek_cache, at.short_collateral, at.adapter)),
    }
    for contract, (name, others) in connections.items():
        queue.call(contract, signature_of(avalon_artifact(name), "init"), *others)


def set_parameters(queue: Deployer, at: AvalonContracts, spec: AvalonSpec) -> None:
    """Queue the setting of all parameters."""
    structures = (
        (at.market, "OptionMarket", "setOptionMarketParams", spec.market),
        (at.pool, "LiquidityPool", "setLiquidityPoolParameters", spec.pool),
        (at.hedger, "ShortPoolHedger", "setPoolHedgerParams", spec.hedger),
        (at.greek_cache, "OptionGreekCache", "setGreekCacheParameters", spec.greeks),
        (at.greek_cache, "OptionGreekCache", "setMinCollateralParameters", spec.minimum),
        (at.greek_cache, "OptionGreekCache", "setForceCloseParameters", spec.forced),
        (at.pricer, "OptionMarketPricer", "setPricingParams", spec.fees),
        (at.pricer, "OptionMarketPricer", "setTradeLimitParams", spec.limits),
        (at.pricer, "OptionMarketPricer", "setVarianceFeeParams", spec.variance),
        (at.token, "OptionToken", "setPartialCollateralParams", spec.penalty),
    )
    for contract, name, function, structure in structures:
        queue.call(contract, signature_of(avalon_artifact(name), function), astuple(structure))
    queue.call(at.hedger, "setShortBuffer(uint256)", spec.short_buffer)


def provide_liquidity(queue: Deployer, at: AvalonContracts, quote: str, amount: int) -> None:
    """Queue a deposit, effective at once while no board is live, and the opening of the hedger's account."""
    queue.call(quote, "mint(address,uint256)", queue.sender, amount)
    queue.call(quote, "approve(address,uint256)", at.pool, amount)
    queue.call(at.pool, "initiateDeposit(address,uint256)", queue.sender, amount)
    queue.call(at.hedger, "openShortAccount()")
    # An account without a short gives its first collateral back.
    queue.call(at.hedger, "hedgeDelta()")


def list_board(
    queue: Deployer, market: str, spec: BoardSpec, expiry: int, board: int, first_strike: int
) -> LocalBoard:
    """Queue a board's listing; the market numbers boards and strikes from 1."""
    prices, skews = [each.price for each in spec.strikes], [each.skew for each in spec.strikes]
    signature = "createOptionBoard(uint256,uint256,uint256[],uint256[],bool)"
    queue.call(market, signature, expiry, spec.iv, prices, skews, False)
    strikes = (LocalStrike(first_strike + place, board, price) for place, price in enumerate(prices))
    return LocalBoard(board, expiry, tuple(strikes))


def base_key(symbol: str) -> str:
    """The synth of a symbol: `sETH` for `ETH`."""
    return f"s{symbol}"


def key(name: str) -> bytes:
    """A name as Synthetix and the adapter take it: 32 bytes, padded with zeros."""
    return name.encode().ljust(32, b"\0")
