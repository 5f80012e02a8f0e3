"""Markets, options and scenarios of the clearinghouse on a local chain, with feeds that a test moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.artifacts import own_artifact
from keeper.localchain.calldata import view
from keeper.localchain.deployer import Deployer
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.transactions import call_of, send_batch
from keeper.margin.rounding import WAD

OWNER, HOUSE, PUBLISHER = ACCOUNTS[:3]
FEED = "(address,uint32,uint8,uint128,uint128)"
UNDERLYING = f"({FEED},uint64,uint64,uint64,uint64,address,uint32,uint64,uint64,uint64)"
COLLATERAL = f"({FEED},uint128,uint64,uint64,address,uint8,uint128)"
INSTRUMENT = "(uint8,uint8,uint40,uint64)"
YEAR = 365 * 86_400
BAND, FUNDING_CAP = WAD // 20, WAD // 100
CLOSING, SHORT_CLOSING = WAD // 1_000, WAD // 250
_STAND_INS = Compilation(("test/clearinghouse/SourceStandIns.sol",), evm_version="paris")


@dataclass(frozen=True)
class LocalClearingMarkets:
    """One underlying at 2,000, which is a collateral too, and an expiry of it in `days` days."""

    anvil: Anvil
    markets: str
    options: str
    moments: str
    feed: str
    surface: str
    expiry: int

    @cached_property
    def now(self) -> int:
        """The time it was deployed at."""
        return self.time()

    def time(self) -> int:
        """The latest block's."""
        block = self.anvil.rpc.call("eth_getBlockByNumber", "latest", False)
        assert isinstance(block, dict)
        return int(str(block["timestamp"]), 16)

    def at(self, time: int, *calls: tuple[str, str, str, tuple[object, ...]]) -> None:
        """One block at `time` of calls: sender, target, signature, arguments."""
        self.anvil.set_next_timestamp(time)
        send_batch(self.anvil.rpc, [call_of(sender, to, name, *given) for sender, to, name, given in calls])

    def ask(
        self, target: str, signature: str, arguments: tuple[object, ...], *answers: str
    ) -> tuple[object, ...]:
        """A view at the latest block."""
        return view(self.anvil.rpc, target, signature, arguments, *answers)


def deploy_markets(anvil: Anvil, days: int) -> LocalClearingMarkets:
    """Deploy and set everything; strikes are multiples of one."""
    stand_ins = artifacts(_STAND_INS)
    deployer = Deployer(anvil.rpc, OWNER)
    feed = deployer.create(stand_ins["RoundsFeed"], 8, 2_000 * 10**8)
    surface = deployer.create(stand_ins["SurfaceFeed"])
    token = deployer.create(stand_ins["TokenOfDecimals"], 18)
    markets = deployer.create(own_artifact("clearinghouse/Markets"), OWNER)
    options = deployer.create(own_artifact("clearinghouse/Options"), OWNER, markets)
    moments = deployer.create(own_artifact("clearinghouse/Moments"), markets, options)
    deployer.flush()
    local = LocalClearingMarkets(anvil, markets, options, moments, feed, surface, 0)
    expiry = local.time() + days * 86_400
    price = (feed, YEAR, 0, 10**8, 10**14)
    deployer = Deployer(anvil.rpc, OWNER)
    deployer.call(markets, "connect(address,address)", HOUSE, options)
    terms = (price, BAND, FUNDING_CAP, CLOSING, SHORT_CLOSING, surface, YEAR, WAD // 10, 3 * WAD, WAD)
    deployer.call(markets, f"setUnderlying(uint256,{UNDERLYING})", 0, terms)
    held = (price, 5 * WAD, WAD // 10, WAD // 5, token, 0, 10**24)
    deployer.call(markets, f"setCollateral(uint256,{COLLATERAL})", 0, held)
    deployer.call(options, "open(uint8,uint40,uint64)", 0, expiry, 10**9)
    for kind, strike in ((1, 1_900), (2, 2_100), (1, 2_500)):
        deployer.call(options, f"list({INSTRUMENT})", (kind, 0, expiry, strike * 10**9))
    deployer.flush()
    return LocalClearingMarkets(anvil, markets, options, moments, feed, surface, expiry)


def deploy_scenarios(
    anvil: Anvil, numbers: dict[int, tuple[int, int, int]], rules: tuple[tuple[int, ...], int, int]
) -> str:
    """Scenarios with bounds (floor, ceiling, start) by width, and rules: limits, interval and ramp."""
    limits, interval, ramp = rules
    deployer = Deployer(anvil.rpc, OWNER)
    address = deployer.create(
        own_artifact("clearinghouse/Scenarios"), OWNER, 86_400, limits, (PUBLISHER, interval, ramp)
    )
    bounds = "(uint64,uint64,uint64)[]"
    deployer.call(address, f"bound(uint256[],{bounds})", list(numbers), list(numbers.values()))
    deployer.flush()
    return address
