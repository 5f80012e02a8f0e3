"""A survey of a market: everything on chain about it, found from one address and a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import is_address, to_checksum_address

from keeper.chain import abi, blocks, logs
from keeper.chain.blocks import Head
from keeper.chain.calls import run
from keeper.chain.contract_reads import ContractReads
from keeper.chain.logs import LogFilter
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.config import Chain, MarketSettings
from keeper.config.known_chains import DataFee as Kind
from keeper.errors import KeeperError
from keeper.model.plan import NATIVE
from keeper.model.purse import Purse
from keeper.oracles.resolution import resolve
from keeper.oracles.sources import Source, pulled
from keeper.protocols.identity import Identity, first_block, identify
from keeper.protocols.registry import PROTOCOLS
from keeper.protocols.spec import SetupHints
from keeper.service.markets import Adapter
from keeper.service.planning import data_fees
from keeper.service.planning.gas_ceilings import GasLevel, gas_level
from keeper.setup.feeds import TOO_FEW, propose, rhythms
from keeper.setup.native import NativeCoin, native_coin_of


@dataclass(frozen=True, slots=True)
class SurveyedAsset:
    """A priced asset; `address` is its name in the market where it has no address.

    `price` in base currency units; zero when the oracle gives none, as `source` None.

    `heartbeat` in seconds is a proposal and `because` its reason; None where no feed is found behind it.
    `guessed`: a feed behind it has too few rounds to tell.
    """

    symbol: str
    address: str
    price: int
    source: Source | None
    heartbeat: int | None
    because: str
    guessed: bool = False


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
    assets: tuple[SurveyedAsset, ...]
    native: NativeCoin
    data_fee: Kind
    gas: GasLevel | None
    """None where the node does not give the price of gas."""


def connect(rpc: str) -> tuple[NodePool, Head]:
    """A connection to the node at `rpc` and its newest block; UnreachableError when it does not answer."""
    chain = Chain(chain_id=1, rpc=[rpc])
    chain_id = int(Node(rpc, chain.timeout).call("eth_chainId", []), 16)
    pool = NodePool("new", Chain(chain_id=chain_id, rpc=[rpc]))
    return pool, blocks.latest(pool)


def explore(pool: NodePool, head: Head, rpc: str, address: str) -> Survey:
    """Survey the market at `address`; ConfigError when it is no market the keeper knows."""
    identity = identify(pool, head, address)
    born = first_block(pool, identity.address, head.number)
    settings = MarketSettings.model_validate(
        {"protocol": identity.protocol, "chain": "new", "address": identity.address}
    )
    spec = PROTOCOLS[identity.protocol]
    adapter: Adapter = spec.adapter.of("new", settings)
    _hear(pool, head, adapter, spec.setup, born or 0)
    state = _read(pool, head, adapter)
    # What nobody has listed yet is there to be shown, and listed or not.
    if adapter.stranger_reads is not None:
        apart = list(adapter.stranger_reads.apart_calls([]))
        read = run(pool, head, apart, adapter.mirror.lenses())
        state = adapter.stranger_reads.with_apart(state, zip(apart, read, strict=True))
    priced = adapter.valuer.priced_assets(state)
    asked = [call for each in priced for call in (each.source_call, each.symbol_call)]
    answers = iter(run(pool, head, asked, adapter.mirror.lenses()))
    found = [(each, abi.address(next(answers)) or "", abi.text(next(answers))) for each in priced]
    found = [(each, each.pulled.name if each.pulled else source, text) for each, source, text in found]
    brought = {each.pulled.name: pulled(each.pulled.name) for each in priced if each.pulled is not None}
    others = [source for _, source, _ in found if source and source not in brought]
    sources = {**resolve(pool, head, others), **brought}
    contracts = ContractReads(pool, head)
    feeds = [feed.address for each in sources.values() for feed in each.feeds() if feed.kind != "pulled"]
    times = rhythms(contracts, feeds)
    shown = {_shown(each.asset): symbol or each.asset for each, _, symbol in found}
    facts = Purse({}, {each.asset: symbol for each, _, symbol in found})
    assets = adapter.planner.assets(state, facts)
    tokens, in_coin = list(assets), NATIVE in assets and bool(assets[NATIVE].price)
    return Survey(
        native=native_coin_of(contracts, shown, tokens, in_coin=in_coin),
        data_fee=data_fees.probe(pool, head),
        gas=_gas(pool),
        chain_id=pool.chain_id,
        rpc=rpc,
        identity=identity,
        version=adapter.valuer.version(state),
        revision=adapter.valuer.revision(state),
        oracle=spec.setup.oracle(state),
        base_decimals=adapter.explainer.base_decimals(state),
        from_block=born,
        head=head,
        assets=tuple(
            _asset(symbol or each.asset, _shown(each.asset), each.price or 0, sources.get(source), times)
            for each, source, symbol in found
        ),
    )


def _gas(pool: NodePool) -> GasLevel | None:
    try:
        return gas_level(pool)
    except KeeperError:
        return None


def _read(pool: NodePool, head: Head, adapter: Adapter) -> Any:
    """Read the market's own state, of all its known parts."""
    call = adapter.mirror.market_call([])
    return adapter.mirror.read_market(run(pool, head, [call], adapter.mirror.lenses())[0])


def _hear(pool: NodePool, head: Head, adapter: Adapter, setup: SetupHints, born: int) -> None:
    """Read what only events reveal to exist."""
    if not setup.created:
        return
    told_by = adapter.contract if setup.told_by is None else setup.told_by(_read(pool, head, adapter))
    wanted = LogFilter((told_by.lower(),), (setup.created,))
    chain = Chain(chain_id=pool.chain_id, rpc=["http://unused"])
    scan = logs.of_range_at_once(pool, born, head.number, wanted, chain.log_range, chain.parallel_requests)
    for _, some in scan:
        adapter.mirror.touched(some)


def _shown(asset: str) -> str:
    return str(to_checksum_address(asset)) if is_address(asset) else asset


def _asset(
    symbol: str, address: str, price: int, source: Source | None, times: Mapping[str, Sequence[int]]
) -> SurveyedAsset:
    """The asset with the heartbeat of the slowest feed behind it."""
    # How often a price is brought is no rhythm of its publisher's.
    feeds = [feed.address for feed in source.feeds() if feed.address in times] if source else []
    proposals = [propose(times[each]) for each in feeds]
    heartbeat, because = max(proposals, default=(None, ""), key=lambda each: each[0] or 0)
    guessed = any(why == TOO_FEW for _, why in proposals)
    return SurveyedAsset(symbol, address, price, source, heartbeat, because, guessed)
