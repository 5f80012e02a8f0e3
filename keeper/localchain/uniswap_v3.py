"""Real Uniswap v3 on a local chain, from its npm artifacts: pools at given prices, and moved to new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, log
from types import MappingProxyType

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.artifacts import Artifact, package_artifact
from keeper.localchain.calldata import view, view_address
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.transactions import Tx, call_of, send_batch

SPACING = MappingProxyType({100: 1, 500: 10, 3000: 60, 10000: 200})
MAX_TICK = 887272
Q96 = 2**96
_CORE = "@uniswap/v3-core/artifacts/contracts"
_PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
_MINT = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
_EXACT_IN = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
_FOREVER = 2**64


@dataclass(frozen=True)
class PoolSpec:
    """A pool to deploy: tokens by symbol, fee in hundredths of a basis point, and liquidity.

    `depth` in whole dollars on each side, spread over `width` ticks each way from the price (0: all ticks).
    """

    one: str
    other: str
    fee: int
    depth: int
    width: int = 0


@dataclass(frozen=True)
class Token:
    """A token that a pool trades: address, decimals, and dollar price per whole token (8 decimals)."""

    address: str
    decimals: int
    price: int


@dataclass(frozen=True)
class UniswapDeployment:
    """Addresses of what was deployed; pools by (symbol, symbol, fee) as in their specifications."""

    factory: str
    quoter: str
    router: str
    positions: str
    pools: Mapping[tuple[str, str, int], str]
    trader: str


def deploy(
    rpc: LocalRpc, tokens: Mapping[str, Token], pools: Sequence[PoolSpec], trader: str = ACCOUNTS[3]
) -> UniswapDeployment:
    """Deploy factory, quoter, router, position manager, and the pools with liquidity around the prices.

    `trader` gets the tokens for it by their own `mint(address,uint256)`, and owns the liquidity.
    """
    queue = Deployer(rpc, ACCOUNTS[0])
    factory = queue.create(package_artifact(f"{_CORE}/UniswapV3Factory.sol/UniswapV3Factory.json"))
    wrapped = next(iter(tokens.values())).address
    queue.call(factory, "enableFeeAmount(uint24,int24)", 100, 1)
    quoter = queue.create(_artifact("lens/QuoterV2"), factory, wrapped)
    router = queue.create(_artifact("SwapRouter"), factory, wrapped)
    positions = queue.create(_artifact("NonfungiblePositionManager"), factory, wrapped, factory)
    queue.flush()
    txs: list[Tx] = []
    for token in (tokens[symbol] for symbol in sorted({s for spec in pools for s in (spec.one, spec.other)})):
        txs.append(
            call_of(ACCOUNTS[0], token.address, "mint(address,uint256)", trader, 10**12 * 10**token.decimals)
        )
        for spender in (positions, router):
            txs.append(call_of(trader, token.address, "approve(address,uint256)", spender, 2**255))
    send_batch(rpc, txs)
    for spec in pools:
        send_batch(rpc, _open(positions, trader, spec, tokens))
    found = {
        (spec.one, spec.other, spec.fee): view_address(
            rpc,
            factory,
            "getPool(address,address,uint24)",
            tokens[spec.one].address,
            tokens[spec.other].address,
            spec.fee,
        )
        for spec in pools
    }
    return UniswapDeployment(factory, quoter, router, positions, MappingProxyType(found), trader)


def move(rpc: LocalRpc, deployed: UniswapDeployment, spec: PoolSpec, tokens: Mapping[str, Token]) -> list[Tx]:
    """The arbitrage trade that moves a pool to the tokens' prices; empty where it is there already."""
    low, high = _sorted(tokens[spec.one], tokens[spec.other])
    pool = deployed.pools[(spec.one, spec.other, spec.fee)]
    present = int(str(view(rpc, pool, "slot0()", (), "uint160")[0]))
    wanted = sqrt_price(low, high)
    if present == wanted:
        return []
    given, taken = (low, high) if wanted < present else (high, low)
    most = 10**10 * 10**given.decimals
    order = (given.address, taken.address, spec.fee, deployed.trader, _FOREVER, most, 0, wanted)
    return [call_of(deployed.trader, deployed.router, _EXACT_IN, order)]


def sqrt_price(low: Token, high: Token) -> int:
    """The square root price (Q64.96) of token0 in token1, per unit, rounded down."""
    numerator = low.price * 10**high.decimals
    denominator = high.price * 10**low.decimals
    return isqrt(numerator * 2**192 // denominator)


def _open(positions: str, trader: str, spec: PoolSpec, tokens: Mapping[str, Token]) -> list[Tx]:
    low, high = _sorted(tokens[spec.one], tokens[spec.other])
    root = sqrt_price(low, high)
    spacing = SPACING[spec.fee]
    if spec.width:
        middle = tick_near(root) // spacing * spacing
        bottom, top = middle - spec.width // spacing * spacing, middle + spec.width // spacing * spacing
    else:
        top = MAX_TICK // spacing * spacing
        bottom = -top
    amounts = [spec.depth * 10**8 * 10**token.decimals // token.price for token in (low, high)]
    minted = (low.address, high.address, spec.fee, bottom, top, *amounts, 0, 0, trader, _FOREVER)
    create = "createAndInitializePoolIfNecessary(address,address,uint24,uint160)"
    return [
        {**call_of(trader, positions, create, low.address, high.address, spec.fee, root), "gas": 6_000_000},
        call_of(trader, positions, _MINT, minted),
    ]


def tick_near(root: int) -> int:
    """The approximate tick of a square root price, exact enough to place liquidity around it."""
    return int(2 * log(root / Q96) / log(1.0001))


def _sorted(one: Token, other: Token) -> tuple[Token, Token]:
    return (one, other) if int(one.address, 16) < int(other.address, 16) else (other, one)


def _artifact(name: str) -> Artifact:
    return package_artifact(f"{_PERIPHERY}/{name}.sol/{name.rsplit('/')[-1]}.json")
