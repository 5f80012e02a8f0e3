"""Deploy Aave v3.0.2 from the artifacts in its npm package (@aave/core-v3 1.19.3, solc 0.8.10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.localchain.aave_market import AaveDeployment, EModeSpec, RateSpec, ReserveSpec
from keeper.localchain.aave_setup import (
    Core,
    configure_reserve,
    create_core,
    create_libraries,
    create_oracle,
    create_provider,
    deployed,
)
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.artifacts import Artifact, package_artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.tokens import create_feed, create_token

VERSION = "3.0.2"
INIT_RESERVES = (
    "initReserves((address,address,address,uint8,address,address,address,address,"
    "string,string,string,string,string,string,bytes)[])"
)
_BPS_TO_RAY = 10**23
_LOGIC = "protocol/libraries/logic/{0}.sol/{0}"
# FlashLoanLogic links BorrowLogic, so it comes after it.
_LIBRARIES = ("Supply", "Borrow", "Liquidation", "EMode", "Bridge", "Configurator", "Pool", "FlashLoan")


def core_artifact(path: str) -> Artifact:
    """An artifact of core-v3 by its path below `artifacts/contracts/`, without `.json`."""
    return package_artifact(f"@aave/core-v3/artifacts/contracts/{path}.json")


def deploy(
    rpc: LocalRpc,
    reserves: Sequence[ReserveSpec],
    emodes: Sequence[EModeSpec] = (),
    deployer: str = ACCOUNTS[0],
) -> AaveDeployment:
    """Deploy and configure a market; the same inputs on a fresh chain give the same addresses.

    `deployer` becomes owner and administrator of everything, and treasury.
    Raises TransactionFailedError with Aave's error number when a parameter is not allowed.
    """
    queue = Deployer(rpc, deployer)
    core = _core(queue)
    token = core_artifact("mocks/tokens/MintableERC20.sol/MintableERC20")
    listed = [(spec, create_token(queue, spec, token), create_feed(queue, spec.price)) for spec in reserves]
    oracle = create_oracle(queue, core_artifact("misc/AaveOracle.sol/AaveOracle"), core.provider, listed)
    tokens = _token_implementations(queue, core.pool)
    for spec, asset, _ in listed:
        _list_reserve(queue, core, tokens, spec, asset, deployer)
    assets = {spec.symbol: asset for spec, asset, _ in listed}
    emode_feeds = {emode.id: _add_emode(queue, core, oracle, emode, assets) for emode in emodes}
    own_feeds = {key: feed for key, feed in emode_feeds.items() if feed != ZERO_ADDRESS}
    return deployed(queue, core, VERSION, oracle, listed, MappingProxyType(own_feeds))


def _core(queue: Deployer) -> Core:
    libraries = create_libraries(queue, _LIBRARIES, lambda name: core_artifact(_LOGIC.format(name)))
    configuration = "protocol/configuration/{0}.sol/{0}"
    provider_code, acl_code = (
        core_artifact(configuration.format(name)) for name in ("PoolAddressesProvider", "ACLManager")
    )
    provider = create_provider(queue, provider_code, acl_code)
    pool_code = core_artifact("protocol/pool/Pool.sol/Pool")
    implementation = queue.create(pool_code, provider, libraries=libraries)
    queue.call(implementation, "initialize(address)", provider)
    configurator = core_artifact("protocol/pool/PoolConfigurator.sol/PoolConfigurator")
    data_provider = core_artifact("misc/AaveProtocolDataProvider.sol/AaveProtocolDataProvider")
    return create_core(queue, provider, implementation, configurator, data_provider, libraries)


def _token_implementations(queue: Deployer, pool: str) -> tuple[str, ...]:
    """Queue the implementations of aToken, stable and variable debt token; their addresses."""
    token = "protocol/tokenization/{0}.sol/{0}"  # noqa: S105 - a path, no password
    return tuple(
        queue.create(core_artifact(token.format(name)), pool)
        for name in ("AToken", "StableDebtToken", "VariableDebtToken")
    )


def _list_reserve(
    queue: Deployer, core: Core, tokens: tuple[str, ...], spec: ReserveSpec, asset: str, treasury: str
) -> None:
    strategy = _rate_strategy(queue, core.provider, spec.rates)
    symbol = spec.symbol
    names = (f"a{symbol}", f"a{symbol}", f"v{symbol}", f"v{symbol}", f"s{symbol}", f"s{symbol}")
    row = (*tokens, spec.decimals, strategy, asset, treasury, ZERO_ADDRESS, *names, b"\x10")
    configurator = core.configurator
    queue.call(configurator, INIT_RESERVES, [row])
    configure_reserve(queue, configurator, spec, asset)
    if spec.stable_borrowing:
        queue.call(configurator, "setReserveStableRateBorrowing(address,bool)", asset, True)


def _rate_strategy(queue: Deployer, provider: str, rates: RateSpec) -> str:
    variable = (rates.optimal, rates.base, rates.slope1, rates.slope2)
    # Stable rates are an offset above the variable slope; the optimal share of stable debt is 20 %.
    stable = (rates.slope1, rates.slope2, 100, 800, 2000)
    return queue.create(
        core_artifact(
            "protocol/pool/DefaultReserveInterestRateStrategy.sol/DefaultReserveInterestRateStrategy"
        ),
        provider,
        *(bps * _BPS_TO_RAY for bps in (*variable, *stable)),
    )


def _add_emode(queue: Deployer, core: Core, oracle: str, emode: EModeSpec, assets: Mapping[str, str]) -> str:
    source = ZERO_ADDRESS if emode.price is None else create_feed(queue, emode.price)
    queue.call(
        core.configurator,
        "setEModeCategory(uint8,uint16,uint16,uint16,address,string)",
        emode.id, emode.ltv, emode.liquidation_threshold, emode.bonus, source, emode.label,
    )  # fmt: skip
    if source != ZERO_ADDRESS:
        # The pool asks the oracle for the price of the source, as if it were an asset.
        queue.call(oracle, "setAssetSources(address[],address[])", [source], [source])
    for symbol in sorted({*emode.collaterals, *emode.borrowables}):
        queue.call(core.configurator, "setAssetEModeCategory(address,uint8)", assets[symbol], emode.id)
    return source
