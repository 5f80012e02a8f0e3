"""What governance may close and open in an Aave market: flags, caps, grace periods, the price sentinel."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.localchain import aave_v36
from keeper.localchain.aave_market import AaveDeployment, DeployedReserve
from keeper.localchain.aave_v302 import core_artifact
from keeper.localchain.artifacts import Artifact
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.transactions import Tx, call_of

_ORIGIN = "node_modules/@aave-dao/aave-v3-origin/src/contracts"


@dataclass(frozen=True)
class LocalSentinel:
    """A market's price sentinel and the mock feed of a sequencer that it asks."""

    sentinel: str
    feed: str


def pause(market: AaveDeployment, reserve: DeployedReserve, on: bool) -> Tx:
    """Pause a reserve or take the pause back."""
    return _configure(market, "setReservePause(address,bool)", reserve.asset, on)


def unpause_with_grace(market: AaveDeployment, reserve: DeployedReserve, seconds: int) -> Tx:
    """Take a pause back; no liquidation for so long (3.1 and later)."""
    return _configure(market, "setReservePause(address,bool,uint40)", reserve.asset, False, seconds)


def freeze(market: AaveDeployment, reserve: DeployedReserve, on: bool) -> Tx:
    """Freeze a reserve (no supply, no borrowing) or thaw it."""
    return _configure(market, "setReserveFreeze(address,bool)", reserve.asset, on)


def set_active(market: AaveDeployment, reserve: DeployedReserve, on: bool) -> Tx:
    """Deactivate a reserve that nobody supplies or borrows, or activate it."""
    return _configure(market, "setReserveActive(address,bool)", reserve.asset, on)


def set_supply_cap(market: AaveDeployment, reserve: DeployedReserve, tokens: int) -> Tx:
    """A new supply cap in whole tokens; 0 is none."""
    return _configure(market, "setSupplyCap(address,uint256)", reserve.asset, tokens)


def set_borrow_cap(market: AaveDeployment, reserve: DeployedReserve, tokens: int) -> Tx:
    """A new borrow cap in whole tokens; 0 is none."""
    return _configure(market, "setBorrowCap(address,uint256)", reserve.asset, tokens)


def set_sequencer(market: AaveDeployment, local: LocalSentinel, *, down: bool, since: int) -> Tx:
    """The sequencer is down, or up since a Unix time."""
    return call_of(market.acl_admin, local.feed, "setAnswer(bool,uint256)", down, since)


def add_sentinel(rpc: LocalRpc, market: AaveDeployment, grace: int) -> LocalSentinel:
    """Give the market the price sentinel of its own version, with the package's mock feed: up since 0."""
    feed_code, sentinel_code = _core() if market.version == "3.0.2" else _origin()
    queue = Deployer(rpc, market.acl_admin)
    feed = queue.create(feed_code, market.acl_admin)
    sentinel = queue.create(sentinel_code, market.addresses_provider, feed, grace)
    queue.call(market.addresses_provider, "setPriceOracleSentinel(address)", sentinel)
    queue.flush()
    return LocalSentinel(sentinel, feed)


def _core() -> tuple[Artifact, Artifact]:
    sentinel = "protocol/configuration/PriceOracleSentinel.sol/PriceOracleSentinel"
    return core_artifact("mocks/oracle/SequencerOracle.sol/SequencerOracle"), core_artifact(sentinel)


def _origin() -> tuple[Artifact, Artifact]:
    roots = tuple(f"{_ORIGIN}/{f}.sol" for f in ("mocks/oracle/SequencerOracle", "misc/PriceOracleSentinel"))
    found = artifacts(Compilation(roots, remappings=aave_v36.SOURCES.remappings))
    return found["SequencerOracle"], found["PriceOracleSentinel"]


def _configure(market: AaveDeployment, signature: str, *arguments: object) -> Tx:
    return call_of(market.acl_admin, market.configurator, signature, *arguments)
