"""Deploy Synthetix v3 perps from their npm packages: the real engine, oracle manager and spot market.

The core, the router, Pyth and its wrapper are stand-ins of ours (`contracts/test/synthetix/`): no registry
has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.calldata import view_address
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc, as_dict, as_int
from keeper.localchain.signed_pyth import FEE, signer_address
from keeper.localchain.synthetix_v3_market import (
    FeedSpec,
    LocalFeed,
    LocalPerp,
    PerpSpec,
    SynthetixDeployment,
    SynthSpec,
    SystemSpec,
)
from keeper.localchain.synthetix_v3_setup import (
    admit_synth,
    allow,
    configure_interest,
    configure_system,
    create_costs,
    create_perp,
    create_price,
    create_synth,
    create_system,
    name32,
)
from keeper.localchain.synthetix_v3_sources import (
    core_artifact,
    error_names,
    oracle_modules,
    perps_modules,
    spot_modules,
    synth_artifact,
)

FIRST_MARKET = 100
"""Id of the first perps market; the next ones follow in order."""


def deploy(
    rpc: LocalRpc,
    feeds: Sequence[FeedSpec],
    perps: Sequence[PerpSpec],
    synths: Sequence[SynthSpec] = (),
    system: SystemSpec | None = None,
    deployer: str = ACCOUNTS[0],
) -> SynthetixDeployment:
    """Deploy the whole system, open to everyone; `deployer` owns all of it. The same inputs on a fresh chain
    give the same addresses. TransactionFailedError with Synthetix' own error where a parameter is not
    allowed."""
    spec = system or SystemSpec()
    queue = Deployer(rpc, deployer, error_names())
    router = queue.create(core_artifact("RouterStandIn"))
    manager = create_system(queue, router, oracle_modules())
    pyth = queue.create(core_artifact("SignedPythStandIn"), signer_address(), FEE)
    wrapper = queue.create(core_artifact("PythWrapperStandIn"), pyth)
    now = as_int(as_dict(rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"])
    prices = {each.symbol: create_price(queue, manager, pyth, wrapper, each, now) for each in feeds}
    cost_source, cost_node = create_costs(queue, manager, spec.costs, prices)

    core = queue.create(core_artifact("CoreStandIn"), deployer, manager)
    dollar = queue.create(core_artifact("UsdTokenStandIn"))
    _associate_token(queue, core, dollar)
    spot = create_system(queue, router, spot_modules())
    queue.call(spot, "setSynthetix(address)", core)
    queue.call(spot, "setSynthImplementation(address)", queue.create(synth_artifact()))
    for feature in ("createSynth", "spotMarketEnabled"):
        allow(queue, spot, feature)
    # The core counts markets in the order in which they register.
    for identity, synth in enumerate(synths, 1):
        create_synth(queue, spot, identity, synth, prices[synth.feed].node)
    perps_id = len(synths) + 1

    market = create_system(queue, router, perps_modules())
    _associate_accounts(queue, market)
    queue.call(market, "initializeFactory(address,address)", core, spot)
    configure_system(queue, market, spec, cost_node)
    made = {
        each.symbol: _perp(queue, market, place, each, prices, wrapper) for place, each in enumerate(perps)
    }
    queue.flush()

    tokens = [view_address(rpc, spot, "getSynth(uint128)", place + 1) for place in range(len(synths))]
    collaterals = {
        synth.symbol: admit_synth(queue, market, core, identity, token, synth, prices[synth.feed])
        for identity, (synth, token) in enumerate(zip(synths, tokens, strict=True), 1)
    }
    for identity in range(1, perps_id + 1):
        queue.call(core, "setCredit(uint128,int256)", identity, spec.credit)
    configure_interest(queue, market, spec)
    queue.flush()
    return SynthetixDeployment(
        perps=market,
        perps_id=perps_id,
        spot=spot,
        core=core,
        oracle_manager=manager,
        account_token=view_address(rpc, market, "getAccountTokenAddress()"),
        usd=view_address(rpc, core, "getAssociatedSystem(bytes32)", name32("USDToken")),
        pyth=pyth,
        wrapper=wrapper,
        cost_source=cost_source,
        owner=deployer,
        feeds=MappingProxyType(prices),
        markets=MappingProxyType(made),
        synths=MappingProxyType(collaterals),
        errors=error_names(),
    )


def _perp(
    queue: Deployer,
    market: str,
    place: int,
    spec: PerpSpec,
    prices: Mapping[str, LocalFeed],
    wrapper: str,
) -> LocalPerp:
    identity, feed = FIRST_MARKET + place, prices[spec.symbol]
    create_perp(queue, market, identity, spec, feed, wrapper)
    return LocalPerp(identity, spec.symbol, feed, spec.price_delay)


def _associate_token(queue: Deployer, core: str, implementation: str) -> None:
    signature = "initOrUpgradeToken(bytes32,string,string,uint8,address)"
    queue.call(core, signature, name32("USDToken"), "Synthetic USD Token v3", "snxUSD", 18, implementation)


def _associate_accounts(queue: Deployer, market: str) -> None:
    implementation = queue.create(core_artifact("AccountTokenStandIn"))
    signature = "initOrUpgradeNft(bytes32,string,string,string,address)"
    names = ("Perpetual Futures Account", "snxPerpsAcct", "")
    queue.call(market, signature, name32("accountNft"), *names, implementation)
