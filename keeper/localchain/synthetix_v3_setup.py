"""Steps of deploying Synthetix v3: systems behind routers, the oracle manager's nodes, and the
configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.localchain.artifacts import Artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.signed_pyth import FEE, price_id, signed_update
from keeper.localchain.synthetix_v3_market import (
    USD_ID,
    CostsByKind,
    CostsOfGas,
    FeedSpec,
    LocalFeed,
    LocalSynth,
    PerpSpec,
    SynthSpec,
    SystemSpec,
)
from keeper.localchain.synthetix_v3_sources import core_artifact, selectors
from keeper.localchain.tokens import FEED_DECIMALS, create_feed

EXTERNAL, CHAINLINK, PYTH, STALENESS, PYTH_LOOKUP = 2, 3, 5, 7, 9
"""Kinds of nodes, by the oracle manager's numbers."""
NO_LIMIT = 2**200
STRATEGY = "(uint8,uint256,uint256,address,bytes32,uint256,bool,uint256)"


def name32(text: str) -> bytes:
    """A name as Synthetix takes it: 32 bytes, padded with zeros."""
    return text.encode().ljust(32, b"\0")


def create_system(queue: Deployer, router: str, modules: Sequence[Artifact]) -> str:
    """Queue Synthetix' own proxy in front of a router to these modules; the sender owns it. Its address."""
    proxy = queue.create(core_artifact("UUPSProxyWithOwner"), router, queue.sender)
    for module in modules:
        at = queue.create(module)
        queue.call(proxy, "route(bytes4[],address)", selectors(module), at)
    return proxy


def register_node(queue: Deployer, manager: str, kind: int, parameters: bytes, *parents: bytes) -> bytes:
    """Queue the registration of a node and return its id, the hash of its definition."""
    queue.call(manager, "registerNode(uint8,bytes,bytes32[])", kind, parameters, list(parents))
    return keccak(encode(["uint8", "bytes", "bytes32[]"], [kind, parameters, list(parents)]))


def create_price(
    queue: Deployer, manager: str, pyth: str, wrapper: str, spec: FeedSpec, now: int
) -> LocalFeed:
    """Queue a price source and its nodes, with a staleness limit."""
    identity = price_id(spec.symbol)
    age = encode(["uint256"], [spec.tolerance])
    if spec.oracle == "chainlink":
        feed = create_feed(queue, spec.price)
        inputs = encode(["address", "uint256", "uint8"], [feed, 0, FEED_DECIMALS])
        source = register_node(queue, manager, CHAINLINK, inputs)
        node = register_node(queue, manager, STALENESS, age, source)
        return LocalFeed(spec.symbol, spec.oracle, feed, identity, node)
    update = signed_update(identity, spec.price, now)
    queue.call(pyth, "updatePriceFeeds(bytes[])", [update], value=FEE)
    inputs = encode(["address", "bytes32", "bool"], [pyth, identity, False])
    source = register_node(queue, manager, PYTH, inputs)
    wanted = encode(["address", "bytes32", "uint256"], [wrapper, identity, spec.tolerance])
    lookup = register_node(queue, manager, PYTH_LOOKUP, wanted)
    node = register_node(queue, manager, STALENESS, age, source, lookup)
    return LocalFeed(spec.symbol, spec.oracle, None, identity, node)


def create_costs(
    queue: Deployer, manager: str, costs: CostsByKind | CostsOfGas, feeds: Mapping[str, LocalFeed]
) -> tuple[str, bytes]:
    """Queue the source of a keeper's costs: (contract, node)."""
    if isinstance(costs, CostsOfGas):
        source = queue.create(core_artifact("KeeperCostStandIn"))
        units = (costs.settle, costs.flag, costs.liquidate)
        inputs = encode(["address", "uint256", "uint256", "uint256"], [source, *units])
        return source, register_node(queue, manager, EXTERNAL, inputs, feeds[costs.feed].node)
    source = queue.create(core_artifact("MockGasPriceNode"))
    queue.call(source, "setCosts(uint256,uint256,uint256)", costs.settle, costs.flag, costs.liquidate)
    return source, register_node(queue, manager, EXTERNAL, encode(["address"], [source]))


def create_synth(queue: Deployer, spot: str, identity: int, spec: SynthSpec, node: bytes) -> None:
    """Queue a synth with its spot market, open to everyone; `identity` is the id that the core will give."""
    queue.call(spot, "createSynth(string,string,address)", spec.symbol, spec.symbol, queue.sender)
    signature = "updatePriceData(uint128,bytes32,bytes32,uint256)"
    queue.call(spot, signature, identity, node, node, spec.strict_tolerance)
    queue.call(spot, "setMarketSkewScale(uint128,uint256)", identity, spec.skew_scale)
    allow(queue, spot, f"atomicOrdersEnabled{identity}")


def allow(queue: Deployer, system: str, feature: str) -> None:
    """Queue opening a feature to everyone."""
    queue.call(system, "setFeatureFlagAllowAll(bytes32,bool)", name32(feature), True)


def configure_system(queue: Deployer, perps: str, spec: SystemSpec, cost_node: bytes) -> None:
    """Queue the parameters of all markets together."""
    for feature in ("perpsSystem", "createMarket", "createAccount"):
        allow(queue, perps, feature)
    queue.call(
        perps,
        "setKeeperRewardGuards(uint256,uint256,uint256,uint256)",
        spec.min_reward, spec.min_profit, spec.max_reward, spec.max_scaling,
    )  # fmt: skip
    queue.call(perps, "setCollateralLiquidateRewardRatio(uint128)", spec.collateral_reward)
    queue.call(perps, "setPerAccountCaps(uint128,uint128)", spec.max_positions, spec.max_collaterals)
    queue.call(perps, "updateKeeperCostNodeId(bytes32)", cost_node)
    _configure_collateral(queue, perps, USD_ID, NO_LIMIT, 0, 0, 0)


def configure_interest(queue: Deployer, perps: str, spec: SystemSpec) -> None:
    """Queue the interest rate's parameters. They apply at once, so the credit must be set before."""
    parameters = (spec.low_gradient, spec.breakpoint, spec.high_gradient)
    queue.call(perps, "setInterestRateParameters(uint128,uint128,uint128)", *parameters)


def create_perp(
    queue: Deployer, perps: str, identity: int, spec: PerpSpec, feed: LocalFeed, wrapper: str
) -> None:
    """Queue one perps market whose orders settle at Pyth's price."""
    queue.call(perps, "createMarket(uint128,string,string)", identity, spec.symbol, spec.symbol)
    queue.call(perps, "updatePriceData(uint128,bytes32,uint256)", identity, feed.node, spec.strict_tolerance)
    queue.call(
        perps,
        f"addSettlementStrategy(uint128,{STRATEGY})",
        identity,
        (
            0, spec.settlement_delay, spec.settlement_window, wrapper, feed.price_id,
            spec.settlement_reward, False, spec.price_delay,
        ),
    )  # fmt: skip
    queue.call(perps, "setOrderFees(uint128,uint256,uint256)", identity, spec.maker_fee, spec.taker_fee)
    funding = (identity, spec.skew_scale, spec.funding_velocity)
    queue.call(perps, "setFundingParameters(uint128,uint256,uint256)", *funding)
    queue.call(perps, "setMaxMarketSize(uint128,uint256)", identity, spec.max_size)
    queue.call(perps, "setMaxMarketValue(uint128,uint256)", identity, spec.max_value)
    queue.call(perps, "setLockedOiRatio(uint128,uint256)", identity, spec.locked_oi)
    queue.call(
        perps,
        "setLiquidationParameters(uint128,uint256,uint256,uint256,uint256,uint256)",
        identity, spec.initial_margin, spec.minimum_initial_margin, spec.maintenance_scalar,
        spec.flag_reward, spec.minimum_position_margin,
    )  # fmt: skip
    queue.call(
        perps,
        "setMaxLiquidationParameters(uint128,uint256,uint256,uint256,address)",
        identity, spec.liquidation_multiplier, spec.window, spec.liquidation_pd, spec.endorsed_liquidator,
    )  # fmt: skip


def admit_synth(
    queue: Deployer, perps: str, core: str, identity: int, token: str, spec: SynthSpec, feed: LocalFeed
) -> LocalSynth:
    """Queue the admission of a synth as collateral: its price in the core, its discount, and the distributor
    that gets what is seized."""
    queue.call(core, "setCollateralNode(address,bytes32)", token, feed.node)
    distributor = queue.create(core_artifact("RewardsDistributorStandIn"), token)
    discounts = (spec.upper_discount, spec.lower_discount, spec.discount_scalar)
    _configure_collateral(queue, perps, identity, spec.max_amount, *discounts)
    signature = "registerDistributor(address,address,uint128,address[])"
    queue.call(perps, signature, token, distributor, identity, [token])
    return LocalSynth(identity, spec.symbol, token, feed, distributor)


def _configure_collateral(
    queue: Deployer, perps: str, identity: int, most: int, upper: int, lower: int, scalar: int
) -> None:
    signature = "setCollateralConfiguration(uint128,uint256,uint256,uint256,uint256)"
    queue.call(perps, signature, identity, most, upper, lower, scalar)
