"""A tick of a warm keeper on Anvil, from a block to its breaches, against the same requests without our work;
the requests it takes, at a proxy; and the cold read of the same book against one call an account."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector as selector
from web3 import HTTPProvider, Web3

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import ACCOUNTS as DEPLOYERS
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json
from keeper.localchain.transactions import Tx, queue
from keeper.protocols.registry import load
from keeper.service.chain_loop import ChainLoop
from keeper.service.markets import Market, build, policies_of, pools
from keeper.service.watching.market_valuation import MarketValuation
from keeper.store.database import open_store
from scripts.bench import large_book
from scripts.bench.cold_scan_web3 import ABI
from scripts.bench.counting_proxy import CountingProxy
from scripts.bench.looking import look
from scripts.bench.result import Result

ACCOUNTS = 100_000
FEW = 1_000
GENESIS = 1_750_000_000
# The canonical runtime, as the PyPI package `multicall` (0.15.2) holds it.
MULTICALL3 = Path(__file__).with_name("multicall3.hex")
TICKS = 25
TOUCHED = 10
WEB3_CALLS = 400
_GAS = hex(2_000_000_000)
Markets = list[tuple[Market, MarketValuation]]
PEER = 30_000
"""Accounts a second that the best peer measured looks at: from an indexer's database."""


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    options = AnvilOptions(timestamp=GENESIS, extra=("--no-request-size-limit",))
    with Anvil(options) as anvil, tempfile.TemporaryDirectory() as folder:
        market = deploy(anvil.rpc, *demo_market())
        names = large_book.fill(anvil.rpc, market, accounts)
        anvil.set_timestamp_interval(12)
        deciding = _deciding(anvil.url, Path(folder), [market], {market.pool.lower(): names})
        found: list[Markets] = []
        cold = _timed(lambda: found.append(_value(deciding, blocks.latest(deciding.pool))))
        _judged(deciding, found[0])
        ours, floors = _ticks(anvil, market, deciding, names)
        yield_ = [*_cold(anvil, market, names, cold), *_warm(accounts, ours, floors)]
    return [*yield_, *_requests(accounts)]


def _deciding(
    url: str, folder: Path, markets: list[AaveDeployment], known: dict[str, list[str]]
) -> ChainLoop:
    """A keeper that discovery has told of these accounts; no event ever named them."""
    config = folder / "keeper.toml"
    config.write_text(
        f'[chains.local]\nchain_id = 31337\nrpc = ["{url}"]\nblock_time = 12\n'
        f'[store]\nurl = "sqlite:///{folder}/keeper.db"\n'
        + "".join(
            f'[markets.m{i}]\nprotocol = "aave-v3"\nchain = "local"\naddress = "{each.pool}"\n'
            for i, each in enumerate(markets)
        )
    )
    settings = load(config)
    nodes, store = pools(settings), open_store(settings.store.url)
    runs = build(settings, nodes, store)
    for run in runs:
        run.book.discovered = set(known[run.adapter.contract.lower()])
    return ChainLoop(
        nodes["local"], store, settings.of_chain("local"), policies_of(settings), runs, "dry", None
    )


def _value(deciding: ChainLoop, head: Head) -> Markets:
    """What a tick does from a block to its breaches."""
    found = deciding.value(head)
    for _, at in found:
        if not at.acting:
            raise SystemExit(f"warm tick: {at.memory.watch_only.reason}, so its time means nothing")
    return found


def _judged(deciding: ChainLoop, found: Markets) -> None:
    """Episodes of what was found, so that the next tick has them open."""
    deciding.judge(found)


def _ticks(
    anvil: Anvil, market: AaveDeployment, deciding: ChainLoop, names: list[str]
) -> tuple[list[float], list[float]]:
    """Seconds of each tick, and of its very requests sent again by nobody who looks at the answers."""
    node = deciding.pool.nodes[0]
    sent: list[tuple[str, list[Any]]] = []
    plain = node.call

    def listening(method: str, params: list[Any]) -> Any:
        sent.append((method, params))
        return plain(method, params)

    ours, floors = [], []
    anvil.set_automine(False)
    for number in range(TICKS):
        for each in range(TOUCHED):
            queue(anvil, _transfer(market, names, number * TOUCHED + each))
        price = 2500_00000000 - number * 10**8
        queue(anvil, act.set_price(market, market.reserves["WETH"], price))
        anvil.mine()
        sent.clear()
        node.call = listening  # type: ignore[method-assign]
        started = time.perf_counter()
        found = _value(deciding, blocks.latest(deciding.pool))
        ours.append(time.perf_counter() - started)
        node.call = plain  # type: ignore[method-assign]
        _judged(deciding, found)
        floors.append(_timed(lambda: [plain(*each) for each in sent]))
    anvil.set_automine(True)
    return ours[2:], floors[2:]


def _transfer(market: AaveDeployment, names: list[str], number: int) -> Tx:
    weth = market.reserves["WETH"]
    return {**act.transfer_a_token(weth, large_book.LENDER, names[number % len(names)], 10**12)}


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _warm(accounts: int, ours: list[float], floors: list[float]) -> list[Result]:
    seconds, floor = median(ours), median(floors)
    rate = accounts / seconds
    return [
        {
            "name": f"warm tick of {accounts:,} accounts, block to breaches",
            "value": seconds * 1e3,
            "unit": "ms",
            "baseline": floor * 1e3,
            "ratio": seconds / floor,
            "aim": "within 2 × of the same requests alone",
            "ok": seconds <= 2 * floor,
        },
        {
            "name": "the same in accounts a second",
            "value": rate,
            "unit": "accounts/s",
            "baseline": float(PEER),
            "ratio": rate / PEER,
            "aim": "at least 10 × the best peer",
            "ok": rate >= 10 * PEER,
        },
    ]


def _cold(anvil: Anvil, market: AaveDeployment, names: list[str], cold: float) -> list[Result]:
    """The whole first read against one call an account through web3.py, and against Multicall3."""
    single = _web3(anvil.url, market, names[:WEB3_CALLS]) / WEB3_CALLS * len(names)
    batched = _multicall(anvil, market, names[:20_000]) / min(len(names), 20_000) * len(names)
    about = f"cold read of {len(names):,} accounts by lens"
    return [
        {
            "name": f"{about}, against one call each through web3.py ({WEB3_CALLS} measured)",
            "value": cold,
            "unit": "s",
            "baseline": single,
            "ratio": single / cold,
            "aim": "at least 100 × faster",
            "ok": single >= 100 * cold,
        },
        {
            "name": f"{about}, against Multicall3 in batches of 500",
            "value": cold,
            "unit": "s",
            "baseline": batched,
            "ratio": batched / cold,
            "aim": "told",
            "ok": True,
        },
    ]


def _web3(url: str, market: AaveDeployment, names: list[str]) -> float:
    contract = Web3(HTTPProvider(url)).eth.contract(address=Web3.to_checksum_address(market.pool), abi=ABI)
    asked = [contract.functions.getUserAccountData(Web3.to_checksum_address(a)) for a in names]
    return _timed(lambda: [each.call() for each in asked])


def _multicall(anvil: Anvil, market: AaveDeployment, names: list[str]) -> float:
    """`aggregate3` over `getUserAccountData`, by the canonical runtime laid over an address."""
    place = "0xcA11bde05977b3631167028862bE2a173976CA11"
    head = selector("aggregate3((address,bool,bytes)[])")

    code: Json = {place: {"code": MULTICALL3.read_text().strip()}}

    def ask() -> None:
        for at in range(0, len(names), 500):
            calls = [
                (market.pool, True, bytes.fromhex(calldata("getUserAccountData(address)", a)[2:]))
                for a in names[at : at + 500]
            ]
            data = "0x" + (head + encode(["(address,bool,bytes)[]"], [calls])).hex()
            answer = anvil.rpc.text("eth_call", {"to": place, "data": data, "gas": _GAS}, "latest", code)
            for ok, result in decode(["(bool,bytes)[]"], bytes.fromhex(answer[2:]))[0]:
                assert ok and decode(["uint256"] * 6, result)

    return _timed(ask)


def _requests(accounts: int) -> list[Result]:
    """Requests of a whole tick at a proxy, for few and many accounts, in one market and in three."""
    costs: dict[tuple[int, int], int] = {}
    with Anvil(AnvilOptions(timestamp=GENESIS, extra=("--no-request-size-limit",))) as anvil:
        markets = [deploy(anvil.rpc, *demo_market(), deployer=DEPLOYERS[i]) for i in range(3)]
        known = {each.pool.lower(): large_book.fill(anvil.rpc, each, FEW) for each in markets}
        for size in (FEW, accounts):
            if size > FEW:
                for each in markets:
                    known[each.pool.lower()] += large_book.fill(anvil.rpc, each, size - FEW, first=FEW)
            for count in (1, 3):
                costs[size, count] = _cost(anvil, markets[:count], known)
    most = max(costs.values())
    shown = ", ".join(f"{count} × {size:,}: {cost}" for (size, count), cost in costs.items())
    return [
        {
            "name": f"requests a block (markets × accounts: {shown})",
            "value": most,
            "unit": "requests",
            "baseline": None,
            "ratio": None,
            "aim": "equal, at most 4",
            "ok": most <= 4 and len(set(costs.values())) == 1,
        }
    ]


def _cost(anvil: Anvil, markets: list[AaveDeployment], known: dict[str, list[str]]) -> int:
    with tempfile.TemporaryDirectory() as folder, CountingProxy(anvil.url) as proxy:
        deciding = _deciding(proxy.url, Path(folder), markets, known)
        most = 0
        for number in range(6):
            anvil.set_automine(False)
            for market in markets:
                queue(anvil, _transfer(market, known[market.pool.lower()], number))
            anvil.mine()
            anvil.set_automine(True)
            proxy.methods.clear()
            look(deciding)
            # The first two ticks read the book and resolve what prices hang on.
            most = max(most, len(proxy.methods)) if number > 1 else 0
        deciding.store.close()
    return most
