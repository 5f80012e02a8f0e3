"""[chains.NAME]: nodes, block time, the venue of liquidations, and private relays."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from keeper.config.known_chains import DataFee
from keeper.config.values import Address, Money, NativePrice, Section, all_urls, one_url

HEAD_AGE_LIMIT = 300
# Development chains, whose time is made up: Hardhat's and Anvil's, Ganache's.
LOCAL_CHAIN_IDS = frozenset({31337, 1337})


class UniswapV3Venue(Section):
    """A Uniswap v3 venue where seized tokens are exchanged. Routes are direct or lead over one of the `hops`
    (tokens)."""

    factory: Address
    fees: list[Annotated[int, Field(gt=0, lt=1_000_000)]] = Field(
        default=[100, 500, 3000, 10000], min_length=1, max_length=8
    )
    hops: list[Address] = []


class Venues(Section):
    uniswap_v3: UniswapV3Venue | None = None


class RelaySettings(Section):
    """A private relay, which receives transactions first."""

    url: Annotated[str, one_url("", "http", "https")]
    kind: Literal["private-transaction", "bundle"] = "private-transaction"
    fallback_blocks: int = Field(default=5, ge=1)
    """Blocks after which a transaction that is in no block goes to the public pool."""
    mempool_ws: Annotated[str, one_url("", "ws", "wss")] | None = None
    """Websocket address of a node that announces whole pending transactions: oracle updates among them are
    acted on before a block has them, in bundles behind them. Absent: blocks are waited for."""
    bundle_method: Literal["svr", "mev-share"] = "svr"
    """How the relay is asked to include ours behind an update: whole (`eth_sendBundle`), or by the update's
    hash (`mev_sendBundle`)."""


class Chain(Section):
    chain_id: int = Field(gt=0)
    rpc: Annotated[list[str], all_urls("an rpc entry", "http", "https"), Field(min_length=1)]
    block_time: Annotated[Decimal, Field(gt=0)] | None = None
    """Seconds between blocks; learnt from the chain when absent."""
    poll: Annotated[Decimal, Field(gt=0)] = Decimal("0.5")
    timeout: Annotated[Decimal, Field(gt=0)] = Decimal(20)
    log_range: int = Field(default=50_000, ge=1)
    """Blocks asked for in one log request at first; shrinks when a node refuses."""
    head_ws: Annotated[list[str], all_urls("an entry", "ws", "wss")] = []
    """Websocket addresses at which nodes of this chain announce new heads; without any, heads are polled
    for."""
    requests_per_second: Annotated[Decimal, Field(gt=0)] | None = None
    """Budget of all requests per second to this chain's nodes together; absent: no limit."""
    parallel_requests: int = Field(default=4, ge=1, le=64)
    """Concurrent requests while a long history or a large book is read."""
    relay: RelaySettings | None = None

    sequencer_feed: Address | None = None
    """A rollup's uptime feed (Chainlink): nothing is sent while the sequencer is down."""
    sequencer_grace: int = Field(default=900, ge=0)
    """Seconds after an outage in which a feed without a new round counts as stale."""
    max_head_age: int | None = Field(default=None, ge=0)
    """Seconds that the newest block may differ from this machine's clock before nothing more is sent; 0: any.
    Absent: 300, and any on the chain ids of local chains."""

    liquidator: Address | None = None
    """Our Liquidator contract on this chain, which works with borrowed money; `keeper contracts deploy` makes
    one. Absent: liquidations spend the signer's own tokens."""
    profit_token: Address | None = None
    """The token that the contract's liquidations earn; absent: each earns in the token that it repays."""
    venues: Venues = Venues()
    data_fee: DataFee | None = None
    """Whether the chain charges for a transaction's data besides gas, and as which kind of chain. Absent: the
    contracts of known kinds are asked."""
    native_price: NativePrice | None = None
    """The price of a native coin: a number (units of account), or an asset of any market (symbol or address,
    `MARKET.ASSET` where it must be that market's), or the address of a feed behind any market's prices or on
    this chain, in dollars. Absent: a market's price of the chain's wrapped coin."""
    max_gas_price_gwei: Annotated[Decimal, Field(ge=0, le=10_000_000)] | None = None
    """Ceiling per gas on this chain, before execution.max_gas_price_gwei. Both absent: what fits the chain's
    own prices at the start."""
    max_gas_per_day: Money | None = None
    """Whole native coins that gas may cost on this chain in 24 hours, before execution.max_gas_per_day. Both
    absent: ten million gas at the ceiling that fits the chain."""

    @model_validator(mode="after")
    def _sells_somewhere(self) -> Chain:
        if self.liquidator is not None and self.venues.uniswap_v3 is None:
            raise ValueError("liquidator: needs a venue to sell at: add venues.uniswap_v3 with its factory")
        return self

    @property
    def head_age_limit(self) -> int | None:
        """The limit in seconds; None when block time and clock are not compared."""
        if self.max_head_age is None:
            return None if self.chain_id in LOCAL_CHAIN_IDS else HEAD_AGE_LIMIT
        return self.max_head_age or None
