"""The steps of a deployment that Aave 3.0.2 and 3.6 have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.localchain.aave_market import AaveDeployment, DeployedReserve, ReserveSpec
from keeper.localchain.artifacts import Artifact
from keeper.localchain.calldata import view, view_address
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc

Listed = tuple[ReserveSpec, str, str]
"""A reserve, its token and its feed."""
_BASE_CURRENCY_UNIT = 10**8


@dataclass(frozen=True)
class Core:
    """Addresses of a market's contracts before its first reserve; `libraries` by name."""

    provider: str
    pool: str
    configurator: str
    data_provider: str
    libraries: Mapping[str, str]


def create_provider(queue: Deployer, provider_code: Artifact, acl_code: Artifact) -> str:
    """Queue the addresses provider and the access control; the sender gets every role."""
    provider = queue.create(provider_code, "local", queue.sender)
    queue.call(provider, "setACLAdmin(address)", queue.sender)
    acl = queue.create(acl_code, provider)
    queue.call(provider, "setACLManager(address)", acl)
    for role in ("Pool", "Emergency", "Risk", "AssetListing"):
        queue.call(acl, f"add{role}Admin(address)", queue.sender)
    return provider


def create_libraries(
    queue: Deployer, names: Sequence[str], code: Callable[[str], Artifact]
) -> dict[str, str]:
    """Queue the logic libraries, each linked with those before it; their addresses by name."""
    libraries: dict[str, str] = {}
    for name in names:
        libraries[f"{name}Logic"] = queue.create(code(f"{name}Logic"), libraries=libraries)
    return libraries


def create_core(
    queue: Deployer,
    provider: str,
    implementation: str,
    configurator_code: Artifact,
    data_provider_code: Artifact,
    libraries: Mapping[str, str],
) -> Core:
    """Register pool, configurator and data provider at the addresses provider; send all that is queued."""
    queue.call(provider, "setPoolImpl(address)", implementation)
    configurator = queue.create(configurator_code, libraries=libraries)
    queue.call(provider, "setPoolConfiguratorImpl(address)", configurator)
    # Some data providers read the pool's address when they are created, so the pool comes first.
    data_provider = queue.create(data_provider_code, provider)
    queue.call(provider, "setPoolDataProvider(address)", data_provider)
    queue.flush()
    pool, configurator = (
        view_address(queue.rpc, provider, each) for each in ("getPool()", "getPoolConfigurator()")
    )
    return Core(provider, pool, configurator, data_provider, libraries)


def create_oracle(queue: Deployer, code: Artifact, provider: str, listed: Sequence[Listed]) -> str:
    """Queue the price oracle and return its address: base currency US dollar, 8 decimals, no fallback."""
    assets, feeds = [asset for _, asset, _ in listed], [feed for _, _, feed in listed]
    oracle = queue.create(code, provider, assets, feeds, ZERO_ADDRESS, ZERO_ADDRESS, _BASE_CURRENCY_UNIT)
    queue.call(provider, "setPriceOracle(address)", oracle)
    return oracle


def configure_reserve(queue: Deployer, configurator: str, spec: ReserveSpec, asset: str) -> None:
    """Queue a listed reserve's risk parameters, flags and caps."""
    if spec.liquidation_threshold:
        signature = "configureReserveAsCollateral(address,uint256,uint256,uint256)"
        queue.call(configurator, signature, asset, spec.ltv, spec.liquidation_threshold, spec.bonus)
    if spec.borrowing:
        queue.call(configurator, "setReserveBorrowing(address,bool)", asset, True)
    queue.call(configurator, "setReserveFlashLoaning(address,bool)", asset, spec.flash_loans)
    queue.call(configurator, "setReserveFactor(address,uint256)", asset, spec.reserve_factor)
    queue.call(configurator, "setLiquidationProtocolFee(address,uint256)", asset, spec.protocol_fee)
    queue.call(configurator, "setSupplyCap(address,uint256)", asset, spec.supply_cap)
    queue.call(configurator, "setBorrowCap(address,uint256)", asset, spec.borrow_cap)


def deployed(
    queue: Deployer,
    core: Core,
    version: str,
    oracle: str,
    listed: Sequence[Listed],
    emode_feeds: Mapping[int, str] = MappingProxyType({}),
    errors: Mapping[str, str] = MappingProxyType({}),
) -> AaveDeployment:
    """Send what is queued and read the addresses of the deployed market."""
    queue.flush()
    reserves = {each[0].symbol: deployed_reserve(queue.rpc, core.data_provider, *each) for each in listed}
    return AaveDeployment(
        version=version,
        pool=core.pool,
        addresses_provider=core.provider,
        configurator=core.configurator,
        oracle=oracle,
        data_provider=core.data_provider,
        acl_admin=queue.sender,
        reserves=MappingProxyType(reserves),
        libraries=MappingProxyType(dict(core.libraries)),
        emode_feeds=emode_feeds,
        errors=errors,
    )


def deployed_reserve(
    rpc: LocalRpc, data_provider: str, spec: ReserveSpec, asset: str, feed: str
) -> DeployedReserve:
    """The addresses of a reserve as the data provider returns them."""
    signature = "getReserveTokensAddresses(address)"
    returned = view(rpc, data_provider, signature, [asset], "address", "address", "address")
    a_token, stable, variable = map(str, returned)
    stable_debt = None if stable == ZERO_ADDRESS else stable
    return DeployedReserve(spec.symbol, asset, spec.decimals, feed, a_token, variable, stable_debt)
