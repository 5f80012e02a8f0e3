"""What a tick saves by asking the pool below web3's layers: the same reads of one market at one block, once
as the tick makes them and once through web3's contracts over the same pool."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from eth_typing import HexStr
from web3 import Web3
from web3.types import StateOverride

from keeper.chain import abi, blocks
from keeper.chain.blocks import Head
from keeper.chain.calls import run
from keeper.chain.pool import NodePool
from keeper.chain.web3_provider import web3_over
from keeper.config import Chain
from keeper.contracts import artifact
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.protocols.aave_v3.lens import LENS, market_call, read_market
from keeper.protocols.lenses import packed
from scripts.bench import large_book
from scripts.bench.counting_proxy import CountingProxy
from scripts.bench.result import Result

TOUCHED = 10
ROUNDS = 40
GENESIS = 1_750_000_000
Read = tuple[dict[str, int], bytes, list[int]]
"""Each asset's price, the touched accounts' records, each feed's newest answer."""


def measure() -> list[Result]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil, CountingProxy(anvil.url) as proxy:
        market = deploy(anvil.rpc, *demo_market())
        accounts = large_book.fill(anvil.rpc, market, TOUCHED)
        head = blocks.latest(_pool(anvil.url))
        sides: dict[str, tuple[float, int]] = {}
        read: list[Read] = []
        for side in (_below, _through_web3):
            direct, counted = (side(_pool(url), head, market, accounts) for url in (anvil.url, proxy.url))
            read.append(direct())
            counted()
            proxy.methods.clear()
            counted()
            sides[side.__name__] = median(_timed(direct) for _ in range(ROUNDS)), len(proxy.methods)
        if read[0] != read[1]:
            raise SystemExit("below web3: the two sides do not agree, so their times mean nothing")
    (ours, requests), (theirs, more) = sides["_below"], sides["_through_web3"]
    about = f"reads of a tick ({TOUCHED} accounts touched, {len(market.reserves)} reserves and their feeds)"
    return [
        {
            "name": f"{about} below web3, against web3's contracts over the same pool",
            "value": ours * 1e3,
            "unit": "ms",
            "baseline": theirs * 1e3,
            "ratio": theirs / ours,
            "aim": "at least 2 × faster",
            "ok": theirs >= 2 * ours,
        },
        {
            "name": "the same in requests",
            "value": requests,
            "unit": "requests",
            "baseline": more,
            "ratio": more / requests,
            "aim": "one",
            "ok": requests == 1,
        },
    ]


def _pool(url: str) -> NodePool:
    return NodePool("local", Chain(chain_id=31337, rpc=[url]))


def _below(pool: NodePool, head: Head, market: AaveDeployment, accounts: list[str]) -> Callable[[], Read]:
    """One request, and answers read by their known layout."""
    feeds = [each.feed for each in market.reserves.values()]

    def read() -> Read:
        calls = [market_call(market.pool, ()), LENS.accounts(market.pool, accounts)]
        rounds = [abi.call(feed, "latestRoundData()") for feed in feeds]
        found, records, *answers = run(pool, head, [*calls, *rounds], (LENS.placed(),))
        prices = {each.asset: each.price for each in read_market(found.data).market.reserves.values()}
        length = int.from_bytes(records.data[32:64], "big")
        return prices, records.data[64 : 64 + length], [abi.signed(each, 1) or 0 for each in answers]

    return read


def _through_web3(
    pool: NodePool, head: Head, market: AaveDeployment, accounts: list[str]
) -> Callable[[], Read]:
    """A request a function, and answers decoded by their interfaces."""
    chain = web3_over(pool)
    # A hash that a call names is turned into a number, by a request of its own.
    chain.eth.default_block = HexStr(head.hash)
    lens = chain.eth.contract(
        address=Web3.to_checksum_address(LENS.address), abi=artifact("AaveV3Lens")["abi"]
    )
    feeds = [
        chain.eth.contract(address=Web3.to_checksum_address(each.feed), abi=artifact("PriceFeed")["abi"])
        for each in market.reserves.values()
    ]
    code: StateOverride = {lens.address: {"code": HexStr(artifact("AaveV3Lens")["deployedBytecode"])}}
    at = Web3.to_checksum_address(market.pool)

    def read() -> Read:
        asked = lens.functions.market(at, []), lens.functions.accounts(at, packed(accounts))
        found, records = (each.call(state_override=code) for each in asked)
        rounds = [each.functions.latestRoundData().call() for each in feeds]
        return {each[0].lower(): each[2] for each in found[6]}, records, [each[1] for each in rounds]

    return read


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
