"""A crash over Aave, Morpho Blue, troves and a Comet (our stand-in) at once, with one signer: how many of 500
accounts are liquidated in the next block, through our contract.

Planned by the keeper's own deciding loop at one block, the most valuable first, and sent as execution
combines them for one block of Anvil's usual gas limit. The baseline is what would fit of the same accounts if
each took the gas of the best batch of its own protocol alone.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.execution import batches
from keeper.localchain import four_markets
from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.four_markets import FIRST_PRICE, PROTOCOLS, FourMarkets
from keeper.localchain.liquidator import demo_pools, deploy_liquidator
from keeper.localchain.rpc import as_dict, as_int
from keeper.localchain.transactions import send_batch
from keeper.model.money import WAD
from keeper.model.plan import Plan
from scripts.bench.liquidations_a_block import GENESIS, PAYER, planned, sent
from scripts.bench.result import Result

EACH = 125
FALLEN = 2100 * 10**8
BATCH = 20


def measure() -> list[Result]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with (
        Anvil(AnvilOptions(timestamp=GENESIS, tx_gas_limit=True)) as anvil,
        tempfile.TemporaryDirectory() as folder,
    ):
        markets, settings = _stage(anvil)
        plans = planned(anvil, lambda: _fall(anvil, markets), settings, Path(folder))
        alone = _alone(anvil, plans)
        limit = as_int(as_dict(anvil.rpc.call("eth_getBlockByNumber", "latest", False))["gasLimit"])
        groups = batches.split(plans, limit)
        outcomes = sent(anvil, [batches.combine(group) for group in groups], groups)
    done = sum(count for _, count in outcomes)
    mixed = Counter(p.market for g, (_, n) in zip(groups, outcomes, strict=True) if n for p in g)
    shared = sum(alone[market] * count for market, count in mixed.items()) / mixed.total()
    possible = limit / shared
    mix = ", ".join(f"{count} {market}" for market, count in sorted(mixed.items()))
    counted = Counter(plan.market for plan in plans)
    return [
        {
            "name": f"liquidations a block over all markets, {len(plans)} planned ({mix} sent)",
            "value": done,
            "unit": "accounts",
            "baseline": possible,
            "ratio": done / possible,
            "aim": "at least 80 % of block gas over each protocol's best batch's gas (a Comet is counted at "
            "twice our stand-in's)",
            "ok": done / possible >= 0.8 and done == mixed.total(),
        },
        {
            "name": "accounts planned in the block of a crash over all markets",
            "value": len(plans),
            "unit": "accounts",
            "baseline": len(PROTOCOLS) * EACH,
            "ratio": len(plans) / (len(PROTOCOLS) * EACH),
            "aim": "all of every market",
            "ok": all(counted[market] == EACH for market in PROTOCOLS),
        },
    ]


def _stage(anvil: Anvil) -> tuple[FourMarkets, str]:
    """As many accounts in each market, an exchange deep enough for all of them, and our contract."""
    markets = four_markets.deploy(anvil)
    rpc = anvil.rpc
    deployed = uniswap.deploy(rpc, markets.tokens(FIRST_PRICE), demo_pools(400_000_000))
    contract = deploy_liquidator(rpc, PAYER, PAYER)
    for market in PROTOCOLS:
        for first in range(0, EACH, 25):
            txs = [markets.held(FIRST_PRICE)]
            for number in range(first, first + 25):
                hints = (_who(market, number - 1) if number else ZERO_ADDRESS, ZERO_ADDRESS)
                # Ever lower ratios, each trove put behind the one before.
                part = (90 * WAD + number * WAD // 50) // 100
                txs += markets.open(market, _who(market, number), (4 + number % 5) * WAD, part, hints)
            send_batch(rpc, txs, markets.aave.errors)
    moves = [tx for spec in demo_pools() for tx in uniswap.move(rpc, deployed, spec, markets.tokens(FALLEN))]
    send_batch(rpc, [*moves, markets.held(FIRST_PRICE)])
    anvil.set_balance(PAYER, 10**21)
    anvil.set_automine(False)
    anvil.set_timestamp_interval(12)
    hops = ", ".join(f'"{markets.token(symbol)}"' for symbol in ("WETH", "USDC"))
    chain = f"""
[chains.local]
chain_id = 31337
rpc = ["{anvil.url}"]
block_time = 12
liquidator = "{contract}"
[chains.local.venues.uniswap_v3]
factory = "{deployed.factory}"
hops = [{hops}]
"""
    return markets, chain + four_markets.settings(markets)


def _who(market: str, number: int) -> str:
    return f"0x{0xBE << 152 | list(PROTOCOLS).index(market) << 64 | number:040x}"


def _fall(anvil: Anvil, markets: FourMarkets) -> None:
    send_batch(anvil.rpc, markets.moved(FALLEN))


def _alone(anvil: Anvil, plans: Sequence[Plan]) -> Mapping[str, float]:
    """Gas a liquidation in a batch of one protocol alone, by market."""
    found = {}
    for market in PROTOCOLS:
        batch = [plan for plan in plans if plan.market == market][:BATCH]
        snapshot = anvil.snapshot()
        [(gas, count)] = sent(anvil, [batches.combine(batch)], [batch])
        anvil.revert(snapshot)
        found[market] = gas / count
    return found
