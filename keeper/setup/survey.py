"""Everything the chain tells about a market, found from one address and a node."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.calls import Call, run
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.oracles.resolving import resolve
from keeper.oracles.sources import Source
from keeper.protocols.aave_v3.market import AaveV3Market
from keeper.protocols.identity import Identity, first_block, identify
from keeper.setup.feeds import propose, rhythms

_SOURCE_OF = function_signature_to_4byte_selector("getSourceOfAsset(address)")


@dataclass(frozen=True, slots=True)
class Asset:
    """One reserve. `price` in base currency units; zero when the oracle gives none, as `source` None.

    `heartbeat` in seconds is a proposal and `because` its reason; None where no feed is found behind it.
    """

    symbol: str
    address: str
    price: int
    source: Source | None
    heartbeat: int | None
    because: str


@dataclass(frozen=True, slots=True)
class Survey:
    """A market as found. `from_block` None: the node keeps no old states, so its birth is unknown."""

    chain_id: int
    rpc: str
    identity: Identity
    version: str | None
    revision: int
    oracle: str
    base_decimals: int
    from_block: int | None
    head: Head
    clock_difference: int
    assets: tuple[Asset, ...]


def connect(rpc: str) -> tuple[NodePool, Head]:
    """A connection to the node at `rpc` and its newest block; UnreachableError when it does not answer."""
    chain = Chain(chain_id=1, rpc=[rpc])
    chain_id = int(Node(rpc, chain.timeout).call("eth_chainId", []), 16)
    pool = NodePool("new", Chain(chain_id=chain_id, rpc=[rpc]))
    return pool, blocks.latest(pool)


def explore(pool: NodePool, head: Head, rpc: str, address: str) -> Survey:
    """What stands at `address`; ConfigError when it is no market the keeper knows."""
    identity = identify(pool, head, address)
    adapter = AaveV3Market("new", identity.address, 0)
    state = adapter.read_market(run(pool, head, [adapter.market_call([])], adapter.lenses())[0])
    facts = adapter.read_planning(
        state, [], run(pool, head, adapter.planning_calls(state, [], identity.address))
    )
    reserves = list(state.market.reserves.values())
    asked = [Call(state.oracle, _SOURCE_OF + encode(["address"], [r.asset])) for r in reserves]
    found = {
        reserve.asset: "0x" + answer.data[12:32].hex()
        for reserve, answer in zip(reserves, run(pool, head, asked), strict=True)
        if answer.ok and any(answer.data)
    }
    sources = resolve(pool, head, found.values())
    times = rhythms(pool, head, [feed.address for each in sources.values() for feed in each.feeds()])
    return Survey(
        chain_id=pool.chain_id,
        rpc=rpc,
        identity=identity,
        version=adapter.version(state),
        revision=adapter.revision(state),
        oracle=str(to_checksum_address(state.oracle)),
        base_decimals=adapter.base_decimals(state),
        from_block=first_block(pool, identity.address, head.number),
        head=head,
        clock_difference=int(time.time()) - head.timestamp,
        assets=tuple(
            _asset(
                facts.symbol(reserve.asset),
                str(to_checksum_address(reserve.asset)),
                reserve.price,
                sources.get(found.get(reserve.asset, "")),
                times,
            )
            for reserve in reserves
        ),
    )


def _asset(
    symbol: str, address: str, price: int, source: Source | None, times: Mapping[str, Sequence[int]]
) -> Asset:
    """With the heartbeat of the slowest feed behind it."""
    proposals = [propose(times[feed.address]) for feed in source.feeds()] if source else []
    heartbeat, because = max(proposals, default=(None, ""), key=lambda each: each[0] or 0)
    return Asset(symbol, address, price, source, heartbeat, because)
