"""Deploy Mezo's trove system (Liquity v1 family) from the sources that its npm package publishes.

Collateral is the chain's native coin, the debt token is MUSD. Contracts are behind proxies, as in production,
except MUSD; the system's own PriceFeed, stale after 60 seconds, reads Chainlink's mock aggregator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eth_utils.abi import filter_abi_by_name, get_abi_input_names

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.calldata import calldata
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.tokens import FEED_DECIMALS, create_feed
from keeper.localchain.transactions import Tx, call_of

_NAMES = (
    "ActivePool",
    "BorrowerOperations",
    "BorrowerOperationsSignatures",
    "CollSurplusPool",
    "DefaultPool",
    "GasPool",
    "GovernableVariables",
    "HintHelpers",
    "InterestRateManager",
    "PCV",
    "PriceFeed",
    "SortedTroves",
    "StabilityPool",
    "TroveManager",
)
_PROXY = "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol"
_INPUT = "@mezo-org/musd-contracts/deployments/sepolia/solcInputs/ce3c09909ef41433bcd31b065c09b77f.json"
SOURCES = Compilation(
    (*(f"contracts/{name}.sol" for name in _NAMES), "contracts/token/MUSD.sol", _PROXY),
    runs=100,
    evm_version="london",
    compiler="solc-0.8.24",
    within=_INPUT,
)
_TIMED = frozenset({"GovernableVariables", "PCV"})
"""Contracts whose `initialize` takes governance's delay in seconds."""
_LIST_SIZE = 10_000
GAS = 3_000_000


@dataclass(frozen=True)
class TroveDeployment:
    """Addresses of one system; `contracts` by name, `feed` has 8 decimals."""

    contracts: Mapping[str, str]
    musd: str
    feed: str
    owner: str

    @property
    def trove_manager(self) -> str:
        return self.contracts["TroveManager"]


def deploy(rpc: LocalRpc, price: int, deployer: str = ACCOUNTS[0]) -> TroveDeployment:
    """Deploy the whole system at a price (8 decimals); governance is `deployer`, without delay."""
    queue = Deployer(rpc, deployer)
    at = {name: _behind_proxy(queue, name) for name in _NAMES}
    musd = queue.create(artifacts(SOURCES)["MUSD"])
    system = (at["TroveManager"], at["StabilityPool"], at["BorrowerOperations"], at["InterestRateManager"])
    queue.call(musd, "initialize(address,address,address,address)", *system)
    feed = create_feed(queue, price)
    queue.call(at["PriceFeed"], "setOracle(address)", feed)
    _connect(queue, at, musd)
    queue.flush()
    return TroveDeployment(at, musd, feed, deployer)


def _behind_proxy(queue: Deployer, name: str) -> str:
    code = queue.create(artifacts(SOURCES)[name])
    setup = calldata("initialize(uint256)", 0) if name in _TIMED else calldata("initialize()")
    return queue.create(artifacts(SOURCES)["ERC1967Proxy"], code, bytes.fromhex(setup[2:]))


def _connect(queue: Deployer, at: Mapping[str, str], musd: str) -> None:
    """Queue each contract's `setAddresses` with the others' addresses, by the names of its parameters."""
    known = {"musdtoken": musd, **{name.lower(): address for name, address in at.items()}}
    for name in _NAMES:
        named = [
            str(each).strip("_").removesuffix("Address").lower()
            for function in filter_abi_by_name("setAddresses", artifacts(SOURCES)[name].abi)
            for each in get_abi_input_names(function)
        ]
        if named and name != "BorrowerOperations":
            signature = f"setAddresses({','.join(['address'] * len(named))})"
            queue.call(at[name], signature, *(known[other] for other in named))
    # BorrowerOperations takes them unnamed, in alphabetical order.
    told = {**at, "MUSD": musd}
    operations = [told[name] for name in sorted(told.keys() - {"BorrowerOperations", "HintHelpers"})]
    queue.call(at["BorrowerOperations"], "setAddresses(address[13])", operations)
    parameters = (_LIST_SIZE, at["BorrowerOperations"], at["TroveManager"])
    queue.call(at["SortedTroves"], "setParams(uint256,address,address)", *parameters)


def open_trove(
    system: TroveDeployment,
    who: str,
    collateral: int,
    debt: int,
    hints: tuple[str, str] = (ZERO_ADDRESS, ZERO_ADDRESS),
) -> Tx:
    """Open a trove: wei of collateral, and MUSD (18 decimals) drawn; fees and gas compensation are added to
    the debt."""
    return operation(system, who, collateral, "openTrove(uint256,address,address)", debt, *hints)


def provide(system: TroveDeployment, who: str, amount: int) -> list[Tx]:
    """Two transactions: approve MUSD and deposit it into the stability pool."""
    pool = system.contracts["StabilityPool"]
    return [
        {**call_of(who, system.musd, "approve(address,uint256)", pool, amount), "gas": GAS},
        {**call_of(who, pool, "provideToSP(uint256)", amount), "gas": GAS},
    ]


def set_price(system: TroveDeployment, price: int) -> Tx:
    """A new round of the feed at this price (8 decimals); without new rounds the feed becomes stale."""
    assert FEED_DECIMALS == 8
    return call_of(system.owner, system.feed, "updateAnswer(int256)", price)


def operation(system: TroveDeployment, who: str, value: int, signature: str, *arguments: object) -> Tx:
    """A call of BorrowerOperations with `value` wei."""
    call = call_of(who, system.contracts["BorrowerOperations"], signature, *arguments)
    return {**call, "value": value, "gas": GAS}
