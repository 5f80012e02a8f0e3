"""Our quotes are the QuoterV2's, to the unit, on real pools with random liquidity; all from one request."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from keeper.chain import blocks
from keeper.chain.calls import run
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.localchain import aave_v36
from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.aave_market import ReserveSpec
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.calldata import calldata, decoded
from keeper.localchain.deployer import Deployer
from keeper.localchain.rpc import Json
from keeper.localchain.tokens import create_token
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.uniswap_v3 import PoolSpec, Token, UniswapDeployment
from keeper.venues.uniswap_v3.exchange import UniswapV3, UniswapV3Exchange, unpacked
from tests.conftest import GENESIS

pytestmark = pytest.mark.integration

ROUNDS = 40 if os.environ.get("KEEPER_SOAK") else 4
QUOTES = 60
SYMBOLS = (("WETH", 18, 2500), ("WBTC", 8, 60_000), ("USDC", 6, 1), ("DAI", 18, 1))
_SELL = "quoteExactInput(bytes,uint256)"
_BUY = "quoteExactOutput(bytes,uint256)"


@dataclass(frozen=True)
class Market:
    anvil: Anvil
    tokens: dict[str, Token]
    uniswap: UniswapDeployment
    pools: list[PoolSpec]


@pytest.fixture(scope="module")
def market() -> Iterator[Market]:
    """Pools of every fee, deep and shallow, some over the whole range, some narrow."""
    pools = [
        PoolSpec("WETH", "USDC", 500, 2_000_000, 3_000),
        PoolSpec("WETH", "USDC", 3000, 400_000),
        PoolSpec("WETH", "USDC", 10000, 50_000),
        PoolSpec("WBTC", "WETH", 3000, 1_000_000, 6_000),
        PoolSpec("WBTC", "USDC", 500, 300_000, 2_000),
        PoolSpec("USDC", "DAI", 100, 3_000_000, 40),
        PoolSpec("WETH", "DAI", 3000, 200_000, 9_000),
    ]
    with Anvil(AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)) as anvil:
        queue = Deployer(anvil.rpc, ACCOUNTS[0])
        code = aave_v36.origin_artifact("TestnetERC20")
        tokens = {}
        for symbol, decimals, price in SYMBOLS:
            spec = ReserveSpec(symbol, decimals, price * 10**8, 0, 0, 0)
            address = create_token(queue, spec, code, ACCOUNTS[0])
            tokens[symbol] = Token(address.lower(), decimals, price * 10**8)
        queue.flush()
        yield Market(anvil, tokens, uniswap.deploy(anvil.rpc, tokens, pools), pools)


def exchange(market: Market) -> tuple[UniswapV3Exchange, int]:
    """The exchange as it is now, and how many requests it took."""
    pool = NodePool("local", Chain(chain_id=31337, rpc=[market.anvil.url]))
    venue = UniswapV3(market.uniswap.factory, tuple(uniswap.SPACING), [market.tokens["USDC"].address])
    head = blocks.latest(pool)
    before = pool.requests
    [answer] = run(pool, head, [venue.call(t.address for t in market.tokens.values())], [venue.lens()])
    found = venue.read(answer)
    assert isinstance(found, UniswapV3Exchange)
    return found, pool.requests - before


def quoted(market: Market, found: UniswapV3Exchange, signature: str, route: str, amount: int) -> int | None:
    """What QuoterV2 says about the same route; None where it reverts or gives less than was asked for."""
    hops, last = unpacked(route)
    path = "".join(token[2:] + f"{found.pools[pool].fee:06x}" for token, pool in hops) + last[2:]
    if signature == _BUY:
        tokens = [*(token for token, _ in hops), last][::-1]
        fees = [found.pools[pool].fee for _, pool in hops][::-1]
        path = tokens[0][2:] + "".join(f"{fee:06x}{t[2:]}" for fee, t in zip(fees, tokens[1:], strict=True))
    call: dict[str, Json] = {
        "to": market.uniswap.quoter,
        "data": calldata(signature, bytes.fromhex(path), amount),
        "gas": hex(10**9),
    }
    try:
        return int(str(decoded(["uint256"], market.anvil.rpc.text("eth_call", call, "latest"))[0]))
    except Exception:  # noqa: BLE001  (the quoter's only way to say no)
        return None


def test_sales_and_purchases_over_every_route_are_the_quoters_to_the_unit(market: Market) -> None:
    dice = random.Random(11)
    compared = 0
    by_address = list(market.tokens.values())
    for _ in range(ROUNDS):
        found, requests = exchange(market)
        assert requests == 1
        assert len(found.pools) == len(market.pools)
        for _ in range(QUOTES):
            one, other = dice.sample(by_address, 2)
            route = dice.choice(found.routes(one.address, other.address))
            dollars = 10 ** dice.uniform(-4, 6.2)
            sold = max(int(dollars * 10**8 * 10**one.decimals / one.price), 1)
            bought = max(int(dollars * 10**8 * 10**other.decimals / other.price), 1)
            for signature, amount, ours in (
                (_SELL, sold, found.sell(route, sold)),
                (_BUY, bought, found.buy(route, bought)),
            ):
                if ours is None:
                    # What lies beyond the ticks that were read, or beyond all liquidity, is not guessed.
                    continue
                assert quoted(market, found, signature, route, amount) == ours, (route, amount, signature)
                compared += 1
        _shake(market, dice)
    assert compared > ROUNDS * QUOTES


def test_quotes_after_a_sale_are_those_of_the_pool_that_the_real_sale_leaves(market: Market) -> None:
    dice = random.Random(5)
    for spec in market.pools:
        found, _ = exchange(market)
        given, taken = market.tokens[spec.one], market.tokens[spec.other]
        address = market.uniswap.pools[(spec.one, spec.other, spec.fee)]
        amount = int(spec.depth * dice.uniform(0.05, 0.4) * 10**8 * 10**given.decimals / given.price)
        route = f"0x{given.address[2:]}{address[2:].lower()}{taken.address[2:]}"
        if found.sell(route, amount) is None:
            continue
        found.make(route, amount)
        send_batch(market.anvil.rpc, [_trade(market, spec, given, taken, amount)])
        after, _ = exchange(market)
        ours, theirs = found.pools[address.lower()], after.pools[address.lower()]
        assert (ours.price, ours.tick, ours.liquidity) == (theirs.price, theirs.tick, theirs.liquidity)


def test_an_amount_that_the_pools_cannot_take_has_no_quote(market: Market) -> None:
    found, _ = exchange(market)
    ether, dollars = market.tokens["WETH"].address, market.tokens["USDC"].address
    route = found.routes(ether, dollars)[0]
    assert found.sell(route, 10**30) is None
    assert found.buy(route, 10**30) is None
    assert found.sell(route, 0) is None


def test_a_pool_that_lends_is_on_no_route(market: Market) -> None:
    found, _ = exchange(market)
    ether, dollars = market.tokens["WETH"].address, market.tokens["USDC"].address
    loan = found.loans(dollars, 10**6)[0]
    assert loan.fee == 100
    before = found.routes(dollars, market.tokens["DAI"].address)
    assert any(loan.lender[2:] in route for route in before)
    found.lend(loan, dollars, 10**6)
    after = found.routes(dollars, market.tokens["DAI"].address)
    assert not any(loan.lender[2:] in route for route in after)
    sold = found.routes(ether, dollars)[0]
    found.make(sold, 10**18)
    pool = unpacked(sold)[0][0][1]
    assert pool not in [each.lender for each in found.loans(dollars, 1)]


def _shake(market: Market, dice: random.Random) -> None:
    """Real trades that leave every pool at another price, between ticks."""
    txs: list[Tx] = []
    for spec in market.pools:
        given, taken = market.tokens[spec.one], market.tokens[spec.other]
        if dice.random() < 0.5:
            given, taken = taken, given
        amount = int(spec.depth * dice.uniform(0.01, 0.2) * 10**8 * 10**given.decimals / given.price)
        txs.append(_trade(market, spec, given, taken, amount))
    send_batch(market.anvil.rpc, txs)


def _trade(market: Market, spec: PoolSpec, given: Token, taken: Token, amount: int) -> Tx:
    order = (given.address, taken.address, spec.fee, market.uniswap.trader, 2**64, amount, 0, 0)
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    return {
        "from": market.uniswap.trader,
        "to": market.uniswap.router,
        "data": calldata(signature, order),
    }


@pytest.mark.parametrize(
    "code", ["5b600056", "fe", "60006000fd", "00"], ids=["burns", "invalid", "reverts", "silent"]
)
def test_a_token_that_lies_closes_its_own_pools_only(market: Market, code: str) -> None:
    before = market.anvil.snapshot()
    honest, _ = exchange(market)
    try:
        market.anvil.set_code(market.tokens["DAI"].address, bytes.fromhex(code))
        found, _ = exchange(market)
    finally:
        market.anvil.revert(before)
    dai = market.tokens["DAI"].address
    others = {at for at, pool in honest.pools.items() if dai not in (pool.token0, pool.token1)}
    assert others and set(found.pools) == others


def test_pools_beside_can_lend_and_are_no_route(market: Market) -> None:
    pool = NodePool("local", Chain(chain_id=31337, rpc=[market.anvil.url]))
    venue = UniswapV3(market.uniswap.factory, tuple(uniswap.SPACING), [])
    usdc, weth, wbtc, dai = (market.tokens[each].address for each in ("USDC", "WETH", "WBTC", "DAI"))
    lending = venue.lending_call([usdc, weth], [wbtc, dai])
    assert lending is not None
    answers = run(pool, blocks.latest(pool), [venue.call([usdc, weth]), lending], (venue.lens(),))
    found = venue.read(*answers)
    lenders = {loan.lender for loan in found.loans(usdc, 10**6)}
    on_routes = {at for route in found.routes(usdc, weth) for _, at in unpacked(route)[0]}
    assert len(lenders) == 5 and on_routes < lenders
    assert found.routes(usdc, dai) == []
