"""Deploy Morpho Blue from its npm package, with the package's own mocks of oracle and rate model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.solc import Compilation, artifacts
from keeper.localchain.tokens import NONE, create_zero_first
from keeper.localchain.transactions import Tx, call_of

_PACKAGE = "node_modules/@morpho-org/morpho-blue/src"
_FILES = ("Morpho", "mocks/IrmMock", "mocks/OracleMock")
SOURCES = Compilation(
    tuple(f"{_PACKAGE}/{name}.sol" for name in _FILES), evm_version="paris", compiler="solc-0.8.19"
)
PARAMS = "(address,address,address,address,uint256)"
ORACLE_SCALE = 10**36
MAX = 2**256 - 1


@dataclass(frozen=True)
class TokenSpec:
    """A token and its price in dollars (8 decimals)."""

    symbol: str
    decimals: int
    price: int


@dataclass(frozen=True)
class PairSpec:
    """One market: loan and collateral by symbol, liquidation loan-to-value scaled 1e18."""

    loan: str
    collateral: str
    lltv: int


@dataclass(frozen=True)
class LocalPair:
    """One created market; `params` in the order of Morpho's MarketParams."""

    id: str
    loan: str
    collateral: str
    oracle: str
    irm: str
    lltv: int

    @property
    def params(self) -> tuple[str, str, str, str, int]:
        return (self.loan, self.collateral, self.oracle, self.irm, self.lltv)


@dataclass(frozen=True)
class MorphoDeployment:
    """Addresses of one singleton, its tokens and markets. `owner` is Morpho's owner."""

    morpho: str
    irm: str
    owner: str
    tokens: Mapping[str, str]
    pairs: tuple[LocalPair, ...]


def oracle_price(loan: TokenSpec, collateral: TokenSpec) -> int:
    """The price that Morpho's oracle returns: loan units per collateral unit, scaled 1e36, rounded down."""
    units = ORACLE_SCALE * int(10**loan.decimals) // int(10**collateral.decimals)
    return collateral.price * units // loan.price


def deploy(
    rpc: LocalRpc,
    tokens: Sequence[TokenSpec],
    pairs: Sequence[PairSpec],
    deployer: str = ACCOUNTS[0],
    existing: Mapping[str, str] = NONE,
) -> MorphoDeployment:
    """Deploy the singleton, one rate model, tokens that anyone may mint, and a market for each pair.
    `existing`: addresses of tokens already deployed, by symbol."""
    queue = Deployer(rpc, deployer)
    code = artifacts(SOURCES)
    morpho = queue.create(code["Morpho"], deployer)
    irm = queue.create(code["IrmMock"])
    queue.call(morpho, "enableIrm(address)", irm)
    for lltv in sorted({pair.lltv for pair in pairs}):
        queue.call(morpho, "enableLltv(uint256)", lltv)
    specs = {each.symbol: each for each in tokens}
    addresses = {
        each.symbol: existing.get(each.symbol)
        or create_zero_first(queue, each.symbol, each.symbol, each.decimals)
        for each in tokens
    }
    made = tuple(_create(queue, morpho, irm, addresses, specs, pair) for pair in pairs)
    queue.flush()
    return MorphoDeployment(morpho, irm, deployer, addresses, made)


def _create(
    queue: Deployer,
    morpho: str,
    irm: str,
    addresses: Mapping[str, str],
    specs: Mapping[str, TokenSpec],
    pair: PairSpec,
) -> LocalPair:
    oracle = queue.create(artifacts(SOURCES)["OracleMock"])
    queue.call(oracle, "setPrice(uint256)", oracle_price(specs[pair.loan], specs[pair.collateral]))
    params = (addresses[pair.loan], addresses[pair.collateral], oracle, irm, pair.lltv)
    queue.call(morpho, f"createMarket({PARAMS})", params)
    identity = "0x" + keccak(encode([PARAMS], [params])).hex()
    return LocalPair(identity, *params)


def approve(who: str, token: str, spender: str, amount: int = MAX) -> Tx:
    return call_of(who, token, "approve(address,uint256)", spender, amount)


def supply(market: MorphoDeployment, pair: LocalPair, who: str, assets: int) -> Tx:
    signature = f"supply({PARAMS},uint256,uint256,address,bytes)"
    return _to(market, who, signature, pair.params, assets, 0, who, b"")


def supply_collateral(market: MorphoDeployment, pair: LocalPair, who: str, assets: int) -> Tx:
    signature = f"supplyCollateral({PARAMS},uint256,address,bytes)"
    return _to(market, who, signature, pair.params, assets, who, b"")


def borrow(market: MorphoDeployment, pair: LocalPair, who: str, assets: int) -> Tx:
    signature = f"borrow({PARAMS},uint256,uint256,address,address)"
    return _to(market, who, signature, pair.params, assets, 0, who, who)


def accrue(market: MorphoDeployment, pair: LocalPair, who: str) -> Tx:
    return _to(market, who, f"accrueInterest({PARAMS})", pair.params)


def set_price(market: MorphoDeployment, pair: LocalPair, price: int) -> Tx:
    """Set the price of the pair's oracle, scaled as in `oracle_price`."""
    return call_of(market.owner, pair.oracle, "setPrice(uint256)", price)


def _to(market: MorphoDeployment, who: str, signature: str, *arguments: object) -> Tx:
    return call_of(who, market.morpho, signature, *arguments)
