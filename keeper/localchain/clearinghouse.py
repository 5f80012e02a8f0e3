"""Deploy our own clearinghouse: its contracts as committed, Chainlink's test aggregators as feeds, and a
stand-in for volatilities. Anyone may mint its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from types import MappingProxyType

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.artifacts import Artifact, own_artifact
from keeper.localchain.calldata import view
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc, as_dict, as_int
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.tokens import create_feed, create_zero_first
from keeper.margin.portfolio.clearinghouse.correlated import joint_rows, wider_rows
from keeper.margin.portfolio.clearinghouse.scenarios import encode_steps
from keeper.model.money import WAD

UNIT = 10**9
"""Sizes and prices have nine decimals."""
MONTH = 30 * 86_400
CASH_DECIMALS = 6
_STANDIN = Compilation(("test/clearinghouse/VolatilityStandIn.sol",))
_FEED = "(address,uint32,uint8,uint128,uint128)"
_UNDERLYING = f"({_FEED},uint64,uint64,uint64,uint64,address,uint32,uint64,uint64,uint64)"
_COLLATERAL = f"({_FEED},uint128,uint64,uint64,address,uint8,uint128)"
_WITH_ERRORS = (
    "Attestation",
    "Clearinghouse",
    "Deleveraging",
    "Markets",
    "Options",
    "Orders",
    "Scenarios",
    "Valuation",
)
_HEARTBEAT, _LEAST, _MOST = 30 * 86_400, 10**6, 10**15


@dataclass(frozen=True)
class HouseTerms:
    """`Terms` of the contract, in its order; fractions have 18 decimals."""

    cash_cap: int = 100_000 * WAD
    rate: int = WAD // 20
    debt_share: int = 8 * WAD // 10
    sale_discount: int = 3 * WAD // 100
    grace: int = 600
    lapse: int = 86_400
    hard_floor: int = WAD // 2
    discount_start: int = WAD // 20
    discount_rise: int = WAD // 20
    discount_most: int = WAD // 2
    buffer: int = WAD // 10


@dataclass(frozen=True)
class UnderlyingSpec:
    """An underlying: its first price (8 decimals) and widths (price, volatility up, down, basis; 18)."""

    symbol: str
    price: int
    widths: tuple[int, int, int, int] = (16 * WAD // 100, 45 * WAD // 100, 25 * WAD // 100, WAD // 100)
    band: int = WAD // 20
    funding_cap: int = WAD // 100
    closing: int = WAD // 1_000
    short_closing: int = WAD // 100


@dataclass(frozen=True)
class HouseSpec:
    """What a local clearinghouse is made of. The first underlying is the collateral, too; options of each
    expire after `lasts` seconds, at `strikes` (fractions of the first price, in percent)."""

    underlyings: Sequence[UnderlyingSpec] = (
        UnderlyingSpec("ETH", 2_000 * 10**8),
        UnderlyingSpec("BTC", 30_000 * 10**8),
    )
    lasts: int = MONTH
    strikes: Sequence[int] = (80, 100, 120)
    terms: HouseTerms = field(default_factory=HouseTerms)
    haircut: int = WAD // 10
    further: int = WAD // 10
    step: int = 1_000 * WAD
    deleveraging: tuple[int, int, int] = (0, 7_200, WAD)
    """The rule (0 risk-aware pro rata, 1 pro rata, 2 queue), after how many seconds of a margin call a
    position is closed against the other side, and the shortfall that is left to the fund."""
    bond: int = 10_000 * 10**CASH_DECIMALS
    fund_target: int = 100_000 * WAD


@dataclass(frozen=True)
class HouseDeployment:
    """Addresses of one clearinghouse; `owner` may configure everything. Instruments by name: "ETH", and
    "ETH-2000-C" for a call at 2,000."""

    house: str
    orders: str
    markets: str
    options: str
    scenarios: str
    margin: str
    deleveraging: str
    attestation: str
    dollars: str
    ether: str
    volatility: str
    owner: str
    feeds: Mapping[str, str]
    instruments: Mapping[str, int]
    expiry: int
    errors: Mapping[str, str]


def correlations(underlyings: int) -> list[list[float]]:
    """Of all underlyings and the one collateral, which is the first underlying: three quarters each."""
    same = {(0, underlyings), (underlyings, 0)}
    size = range(underlyings + 1)
    return [[1.0 if i == j or (i, j) in same else 0.75 for j in size] for i in size]


def deploy(rpc: LocalRpc, spec: HouseSpec | None = None, deployer: str = ACCOUNTS[0]) -> HouseDeployment:
    """Deploy all contracts, feeds and options. The same inputs on a fresh chain give the same addresses."""
    spec = spec or HouseSpec()
    head = as_dict(rpc.call("eth_getBlockByNumber", "latest", False))
    now = as_int(head["timestamp"])
    queue = Deployer(rpc, deployer, _errors())
    dollars = create_zero_first(queue, "USD Coin", "USDC", CASH_DECIMALS)
    ether = create_zero_first(queue, "Wrapped Ether", "WETH", 18)
    feeds = {each.symbol: create_feed(queue, each.price) for each in spec.underlyings}
    volatility = queue.create(artifacts(_STANDIN)["VolatilityStandIn"])
    markets = queue.create(_own("Markets"), deployer)
    options = queue.create(_own("Options"), deployer, markets)
    limits, pace = (WAD // 2, WAD // 4, WAD // 4, WAD // 20), (deployer, 3_600, 3_600)
    scenarios = queue.create(_own("Scenarios"), deployer, 86_400, limits, pace)
    valuation = queue.create(_own("Valuation"))
    margin = queue.create(_own("Margin"), markets, scenarios, valuation)
    house = queue.create(_own("Clearinghouse"), dollars, CASH_DECIMALS, margin, astuple(spec.terms))
    orders = queue.create(_own("Orders"), house)
    queue.call(markets, "connect(address,address)", house, options)
    deleveraging = queue.create(_own("Deleveraging"), house, spec.deleveraging)
    moments = queue.create(_own("Moments"), markets, options)
    bounds = (deployer, 3_600, WAD // 2, WAD // 2, WAD, 2**127)
    attestation = queue.create(
        _own("Attestation"), house, moments, CASH_DECIMALS, spec.bond, 3_600, spec.fund_target, bounds
    )
    queue.call(house, "begin(address,address)", orders, deleveraging)
    queue.call(house, "attestBy(address)", attestation)
    _admit(queue, spec, markets, feeds, volatility, ether)
    _scenarios(queue, spec, scenarios)
    expiry = now + spec.lasts
    instruments = {each.symbol: number for number, each in enumerate(spec.underlyings)}
    for number in range(len(spec.underlyings)):
        queue.call(options, "open(uint8,uint40,uint64)", number, expiry, UNIT)
    for place, (name, terms) in enumerate(_options(spec, expiry)):
        queue.call(options, "list((uint8,uint8,uint40,uint64))", terms)
        instruments[name] = 8 + place
    queue.flush()
    return HouseDeployment(
        house,
        orders,
        markets,
        options,
        scenarios,
        margin,
        deleveraging,
        attestation,
        dollars,
        ether,
        volatility,
        deployer,
        MappingProxyType(feeds),
        MappingProxyType(instruments),
        expiry,
        MappingProxyType(_errors()),
    )


def _own(name: str) -> Artifact:
    return own_artifact(f"clearinghouse/{name}")


def _errors() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _WITH_ERRORS:
        found |= _own(name).errors()
    return found


def _admit(
    queue: Deployer,
    spec: HouseSpec,
    markets: str,
    feeds: Mapping[str, str],
    volatility: str,
    ether: str,
) -> None:
    def feed(symbol: str) -> tuple[object, ...]:
        return (feeds[symbol], _HEARTBEAT, 8, _LEAST, _MOST)

    for number, each in enumerate(spec.underlyings):
        fractions = (each.band, each.funding_cap, each.closing, each.short_closing)
        terms = (feed(each.symbol), *fractions, volatility, _HEARTBEAT, WAD // 20, 5 * WAD, WAD)
        queue.call(markets, f"setUnderlying(uint256,{_UNDERLYING})", number, terms)
    first = spec.underlyings[0].symbol
    collateral = (feed(first), spec.step, spec.haircut, spec.further, ether, 0, 10**27)
    queue.call(markets, f"setCollateral(uint256,{_COLLATERAL})", 0, collateral)


def _scenarios(queue: Deployer, spec: HouseSpec, scenarios: str) -> None:
    count = len(spec.underlyings)
    widths = [width for each in spec.underlyings for width in each.widths]
    numbers = [*range(4 * count), 32]
    bounds = [(WAD // 1_000, 3 * WAD, width) for width in (*widths, spec.underlyings[0].widths[0])]
    queue.call(scenarios, "bound(uint256[],(uint64,uint64,uint64)[])", numbers, bounds)
    maintenance = joint_rows(correlations(count), count)
    rows = [*maintenance, *wider_rows(correlations(count), count)]
    signature = "replace(uint8,uint8,uint8,bytes)"
    queue.call(scenarios, signature, count, 1, len(maintenance), encode_steps(rows))


def _options(spec: HouseSpec, expiry: int) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    for number, each in enumerate(spec.underlyings):
        for percent in spec.strikes:
            strike = each.price * percent // 100 // 10**8
            for kind, letter in ((1, "C"), (2, "P")):
                yield f"{each.symbol}-{strike}-{letter}", (kind, number, expiry, strike * UNIT)


def account_count(rpc: LocalRpc, system: HouseDeployment) -> int:
    """How many accounts there are; the next one gets this number."""
    return int(str(view(rpc, system.house, "accounts()", (), "uint256")[0]))
