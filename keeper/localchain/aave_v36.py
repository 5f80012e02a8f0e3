"""Deploy Aave v3.6 from its npm sources (@aave-dao/aave-v3-origin 3.6.0), compiled once and cached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from eth_abi.abi import encode

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.errors import ConfigError
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
from keeper.localchain.artifacts import Artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.tokens import create_feed, create_token

VERSION = "3.6"
INIT_RESERVES = "initReserves((address,address,address,string,string,string,string,bytes,bytes)[])"
_ORIGIN = "node_modules/@aave-dao/aave-v3-origin/src/contracts"
_LIBRARIES = ("Supply", "Borrow", "Liquidation", "Pool", "Configurator", "FlashLoan")
_ROOTS = (
    *(f"protocol/libraries/logic/{name}Logic.sol" for name in _LIBRARIES),
    "protocol/configuration/PoolAddressesProvider.sol",
    "protocol/configuration/ACLManager.sol",
    "instances/PoolInstance.sol",
    "instances/PoolConfiguratorInstance.sol",
    "instances/ATokenInstance.sol",
    "instances/VariableDebtTokenInstance.sol",
    "misc/AaveOracle.sol",
    "misc/DefaultReserveInterestRateStrategyV2.sol",
    "helpers/AaveProtocolDataProvider.sol",
    "mocks/testnet-helpers/TestnetERC20.sol",
)
SOURCES = Compilation(
    roots=tuple(f"{_ORIGIN}/{root}" for root in _ROOTS),
    remappings=(
        ("openzeppelin-contracts/", "node_modules/@openzeppelin"),
        ("solidity-utils/", "node_modules/@bgd-labs/solidity-utils/src"),
    ),
)


def deploy(
    rpc: LocalRpc,
    reserves: Sequence[ReserveSpec],
    emodes: Sequence[EModeSpec] = (),
    deployer: str = ACCOUNTS[0],
) -> AaveDeployment:
    """Deploy and configure a market; the same inputs on a fresh chain give the same addresses.

    `deployer` becomes owner and administrator of everything, and treasury. Stable borrowing is ignored.
    Raises TransactionFailedError with Aave's error when a parameter is not allowed, ConfigError for an e-mode
    with a price of its own, which this version does not have.
    """
    queue = Deployer(rpc, deployer, error_names())
    core = _core(queue)
    standard = origin_artifact("TestnetERC20")
    listed = [
        (spec, create_token(queue, spec, standard, deployer), create_feed(queue, spec.price))
        for spec in reserves
    ]
    oracle = create_oracle(queue, origin_artifact("AaveOracle"), core.provider, listed)
    a_token = queue.create(origin_artifact("ATokenInstance"), core.pool, ZERO_ADDRESS, deployer)
    debt_token = queue.create(origin_artifact("VariableDebtTokenInstance"), core.pool, ZERO_ADDRESS)
    for spec, asset, _ in listed:
        _list_reserve(queue, core.configurator, (a_token, debt_token), spec, asset)
    assets = {spec.symbol: asset for spec, asset, _ in listed}
    for emode in emodes:
        _add_emode(queue, core.configurator, emode, assets)
    return deployed(queue, core, VERSION, oracle, listed, errors=error_names())


def origin_artifact(name: str) -> Artifact:
    """A contract of Aave v3 Origin by its name, compiled at first use."""
    return artifacts(SOURCES)[name]


@lru_cache(maxsize=1)
def error_names() -> Mapping[str, str]:
    """Names of Aave's custom errors by selector (0x and 8 digits)."""
    return MappingProxyType(
        {name: text for contract in artifacts(SOURCES).values() for name, text in contract.errors().items()}
    )


def _core(queue: Deployer) -> Core:
    libraries = create_libraries(queue, _LIBRARIES, origin_artifact)
    provider = create_provider(queue, origin_artifact("PoolAddressesProvider"), origin_artifact("ACLManager"))
    strategy = queue.create(origin_artifact("DefaultReserveInterestRateStrategyV2"), provider)
    pool_code = origin_artifact("PoolInstance")
    implementation = queue.create(pool_code, provider, strategy, libraries=libraries)
    configurator = origin_artifact("PoolConfiguratorInstance")
    data_provider = origin_artifact("AaveProtocolDataProvider")
    return create_core(queue, provider, implementation, configurator, data_provider, libraries)


def _list_reserve(
    queue: Deployer, configurator: str, tokens: tuple[str, str], spec: ReserveSpec, asset: str
) -> None:
    symbol = spec.symbol
    names = (f"a{symbol}", f"a{symbol}", f"v{symbol}", f"v{symbol}")
    queue.call(configurator, INIT_RESERVES, [(*tokens, asset, *names, b"", _rate_data(spec.rates))])
    configure_reserve(queue, configurator, spec, asset)


def _rate_data(rates: RateSpec) -> bytes:
    types = ("uint16", "uint32", "uint32", "uint32")
    return encode(types, (rates.optimal, rates.base, rates.slope1, rates.slope2))


def _add_emode(queue: Deployer, configurator: str, emode: EModeSpec, assets: Mapping[str, str]) -> None:
    if emode.price is not None:
        raise ConfigError("e-modes have no price of their own since Aave 3.2", where=f"e-mode {emode.id}")
    queue.call(
        configurator,
        "setEModeCategory(uint8,uint16,uint16,uint16,string)",
        emode.id, emode.ltv, emode.liquidation_threshold, emode.bonus, emode.label,
    )  # fmt: skip
    for use, symbols in (("Collateral", emode.collaterals), ("Borrowable", emode.borrowables)):
        for symbol in symbols:
            queue.call(
                configurator, f"setAsset{use}InEMode(address,uint8,bool)", assets[symbol], emode.id, True
            )
