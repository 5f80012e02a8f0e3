"""Upgrades of the Pool behind its proxy on a 3.0.2 market: to another revision, and to other arithmetic.

Both are compiled from the package's own sources with one text changed, and emit the proxy's `Upgraded`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.aave_v302 import core_artifact
from keeper.localchain.calldata import calldata
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.solc import Compilation, compiled
from keeper.localchain.transactions import send_batch

Arithmetic = Literal["debt_up", "threshold_up"]
"""What changes: debt in base currency is rounded up, or the average liquidation threshold is."""

_CORE = "node_modules/@aave/core-v3/contracts/protocol"
_POOL = f"{_CORE}/pool/Pool.sol"
_GENERIC = f"{_CORE}/libraries/logic/GenericLogic.sol"
# The libraries that have GenericLogic's arithmetic inside; FlashLoanLogic links BorrowLogic.
_VALUING = ("SupplyLogic", "BorrowLogic", "LiquidationLogic", "EModeLogic", "PoolLogic", "FlashLoanLogic")
_CHANGES = MappingProxyType(
    {
        "debt_up": (
            "return userTotalDebt / assetUnit;",
            "return (userTotalDebt + assetUnit - 1) / assetUnit;",
        ),
        "threshold_up": (
            "? vars.avgLiquidationThreshold / vars.totalCollateralInBaseCurrency",
            "? (vars.avgLiquidationThreshold + vars.totalCollateralInBaseCurrency - 1)"
            " / vars.totalCollateralInBaseCurrency",
        ),
    }
)
_PRAGMA = "0.8.27"


def upgrade_revision(rpc: LocalRpc, market: AaveDeployment, revision: int) -> str:
    """Upgrades as governance would, to a Pool of a higher revision; returns the new implementation.

    The arithmetic stays. TransactionFailedError when the revision is not above the present one.
    """
    replaced = {_POOL: [("POOL_REVISION = 0x1;", f"POOL_REVISION = {revision};")]}
    sources = Compilation((_POOL,), replace=replaced, pragma=_PRAGMA)
    queue = Deployer(rpc, market.acl_admin)
    pool = compiled(sources)["Pool"]
    provider = market.addresses_provider
    implementation = queue.create(pool, provider, libraries=market.libraries)
    queue.call(provider, "setPoolImpl(address)", implementation)
    queue.flush()
    return implementation


def upgrade_arithmetic(rpc: LocalRpc, market: AaveDeployment, change: Arithmetic) -> str:
    """Upgrades to a Pool of the same revision that values accounts otherwise; returns the new implementation.

    The initializer refuses an equal revision, so the proxy's admin, the addresses provider, is impersonated
    and upgrades without initializing.
    """
    roots = tuple(f"{_CORE}/libraries/logic/{name}.sol" for name in _VALUING)
    sources = Compilation(roots, replace={_GENERIC: [_CHANGES[change]]}, pragma=_PRAGMA)
    contracts = compiled(sources)
    queue = Deployer(rpc, market.acl_admin)
    libraries = dict(market.libraries)
    for name in _VALUING:
        libraries[name] = queue.create(contracts[name], libraries=libraries)
    pool = core_artifact("protocol/pool/Pool.sol/Pool")
    provider = market.addresses_provider
    implementation = queue.create(pool, provider, libraries=libraries)
    queue.flush()
    upgrade = calldata("upgradeTo(address)", implementation)
    send_batch(rpc, [{"from": provider, "to": market.pool, "data": upgrade}])
    return implementation
