"""The settings: one TOML file, the environment over it, validated once.

Ratios are Decimals read from the file's own digits; a float never stands between file and arithmetic.
Environment variables `KEEPER_SECTION__KEY` override single values (KEEPER_STORE__URL, for example).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from eth_utils.address import is_checksum_address, is_hex_address, to_checksum_address
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from keeper.config_mistakes import explain
from keeper.errors import ConfigError

WAD = 10**18
HEAD_AGE_LIMIT = 300
# Development chains, whose time is made up: Hardhat's and Anvil's, Ganache's.
LOCAL_CHAIN_IDS = frozenset({31337, 1337})


def checked_address(value: str) -> str:
    """An address in its checksummed form; ValueError for what is none, or mistyped by its own checksum."""
    if not is_hex_address(value):
        raise ValueError("is no address: write 0x and 40 hexadecimal digits")
    mixed = value[2:] not in (value[2:].lower(), value[2:].upper())
    if mixed and not is_checksum_address(value):
        raise ValueError("has a wrong checksum: a digit is mistyped; copy the address again")
    return str(to_checksum_address(value))


Address = Annotated[str, AfterValidator(checked_address)]
Ratio = Annotated[Decimal, Field(gt=0, lt=1000)]
Money = Annotated[Decimal, Field(ge=0)]


def wad(ratio: Decimal) -> int:
    """A ratio scaled to 1e18, exactly."""
    return int(ratio * WAD)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UniswapV3Venue(Section):
    """Where seizures are exchanged. Routes are direct or lead over one of the `hops` (tokens)."""

    factory: Address
    fees: list[Annotated[int, Field(gt=0, lt=1_000_000)]] = Field(
        default=[100, 500, 3000, 10000], min_length=1, max_length=8
    )
    hops: list[Address] = []


class Venues(Section):
    uniswap_v3: UniswapV3Venue | None = None


class Relay(Section):
    """A private relay, which transactions go to first."""

    url: str
    kind: Literal["private-transaction", "bundle"] = "private-transaction"
    fallback_blocks: int = Field(default=5, ge=1)
    """Blocks after which a transaction that no block has goes to the public pool."""
    updates: str | None = None
    """Websocket address of a node that tells of whole pending transactions: oracle updates among them are
    acted on before a block has them, in bundles behind them. Absent: blocks are waited for."""
    behind: Literal["svr", "mev-share"] = "svr"
    """How the relay is asked to include ours behind an update: whole (`eth_sendBundle`), or by the update's
    hash (`mev_sendBundle`)."""

    @field_validator("updates")
    @classmethod
    def _updates(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("ws://", "wss://")):
            raise ValueError("must start with ws:// or wss://")
        return url

    @field_validator("url")
    @classmethod
    def _url(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return url


class Chain(Section):
    chain_id: int = Field(gt=0)
    rpc: list[str] = Field(min_length=1)
    block_time: Annotated[Decimal, Field(gt=0)] | None = None
    """Seconds between blocks; learnt from the chain when absent."""
    poll: Annotated[Decimal, Field(gt=0)] = Decimal("0.5")
    timeout: Annotated[Decimal, Field(gt=0)] = Decimal(20)
    log_range: int = Field(default=50_000, ge=1)
    """Blocks asked for in one log request at first; shrinks when a node refuses."""
    ws: list[str] = []
    """Websocket addresses at which nodes of this chain tell of new heads; without, heads are polled for."""
    requests_per_second: Annotated[Decimal, Field(gt=0)] | None = None
    """Budget of all requests to this chain's nodes together; absent: as many as are needed."""
    parallel_requests: int = Field(default=4, ge=1, le=64)
    """Requests under way at once while a long history or a large book is read."""
    relay: Relay | None = None

    sequencer_feed: Address | None = None
    """A rollup's uptime feed (Chainlink): nothing is sent while the sequencer is down."""
    sequencer_grace: int = Field(default=900, ge=0)
    """Seconds after an outage in which a feed without a new round counts as stale."""
    max_head_age: int | None = Field(default=None, ge=0)
    """Seconds the newest block may differ from this machine's clock before nothing is sent any more; 0: any.
    Absent: 300, and any on the chain ids of local chains."""

    liquidator: Address | None = None
    """Our Liquidator contract on this chain, which works with borrowed money; `keeper contracts deploy` makes
    one. Absent: liquidations spend the signer's own tokens."""
    profit_token: Address | None = None
    """What the contract's liquidations earn; absent: each earns in the token that it repays."""
    venues: Venues = Venues()
    data_fee: Literal["none", "op-stack"] = "none"
    """Whether the chain charges for a transaction's data besides gas, and whom to ask how much."""

    @model_validator(mode="after")
    def _sells_somewhere(self) -> Chain:
        if self.liquidator is not None and self.venues.uniswap_v3 is None:
            raise ValueError("liquidator: needs a venue to sell at: add venues.uniswap_v3 with its factory")
        return self

    @property
    def head_age_limit(self) -> int | None:
        """Seconds; None when block time and clock are not compared."""
        if self.max_head_age is None:
            return None if self.chain_id in LOCAL_CHAIN_IDS else HEAD_AGE_LIMIT
        return self.max_head_age or None

    @field_validator("ws")
    @classmethod
    def _websockets(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if not url.startswith(("ws://", "wss://")):
                raise ValueError("a ws entry must start with ws:// or wss://")
        return urls

    @field_validator("rpc")
    @classmethod
    def _urls(cls, urls: list[str]) -> list[str]:
        for url in urls:
            if not url.startswith(("http://", "https://")):
                raise ValueError("an rpc entry must start with http:// or https://")
        return urls


class ChainlinkSource(Section):
    """A second source that answers as a Chainlink feed does, in the market's base currency."""

    kind: Literal["chainlink"]
    address: Address
    heartbeat: int | None = Field(default=None, gt=0)
    """Seconds after which its answer no longer counts."""


class UniswapV3Source(Section):
    """A second source: the mean of a Uniswap v3 pool over a window.

    The other token of the pool is priced by the market itself, or, when the market does not list it, by
    `quote_price` (whole units of the base currency)."""

    kind: Literal["uniswap-v3"]
    address: Address
    window: int = Field(default=1800, gt=0)
    """Seconds the price is averaged over."""
    quote_price: Annotated[Decimal, Field(gt=0)] | None = None


class PythSource(Section):
    """A second source: a Pyth contract and the feed in it."""

    kind: Literal["pyth"]
    address: Address
    price_id: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]
    heartbeat: int | None = Field(default=None, gt=0)
    max_uncertainty: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.02")
    """Pyth's confidence interval over its price, above which it is no second opinion."""


SecondSource = Annotated[ChainlinkSource | UniswapV3Source | PythSource, Field(discriminator="kind")]


class Oracle(Section):
    """What is known of an asset's price that no chain tells. Absent values are not judged."""

    heartbeat: int | None = Field(default=None, gt=0)
    """Seconds within which each feed behind the price gives a new round."""
    min_price: Annotated[Decimal, Field(gt=0)] | None = None
    """Whole units of the base currency; a price outside the bounds counts only if the second agrees."""
    max_price: Annotated[Decimal, Field(gt=0)] | None = None
    deviation: Annotated[Decimal, Field(gt=0, lt=1)] = Decimal("0.05")
    """How far two sources may lie apart and still agree; how far a price may move without a new round."""
    second: SecondSource | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Oracle:
        if self.min_price is not None and self.max_price is not None and self.min_price >= self.max_price:
            raise ValueError("min_price must lie below max_price")
        return self


class Market(Section):
    protocol: Literal["aave-v3", "morpho-blue", "compound-v3", "liquity"]
    chain: str
    address: Address
    from_block: int = Field(default=0, ge=0)
    audit_sample: int = Field(default=8, ge=1)
    """Accounts compared with the contract's own view at every block, in turn."""
    owner_top_up: Address | None = None
    """Our OwnerTopUp contract for this pool, where owners pay; `keeper contracts deploy` makes one."""
    unresolved: Literal["watch", "act"] = "watch"
    """What to do for accounts with an asset whose price source is of no known kind."""
    oracles: dict[str, Oracle] = {}
    """By symbol or address of the asset."""
    base_price: Annotated[Decimal, Field(gt=0)] = Decimal(1)
    """What a whole unit of the market's base currency is worth in the unit of account, in which all
    amounts of the policy are. 1 where both are dollars; a market that counts in ether needs it."""
    market_ids: list[Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$")]] = []
    """Morpho Blue: the markets of the singleton to follow; empty: all."""
    loan_prices: dict[str, Annotated[Decimal, Field(gt=0)]] = {}
    """Morpho Blue: what a whole loan token is worth in base currency, by symbol or address; absent: 1."""

    @model_validator(mode="after")
    def _fits(self) -> Market:
        if self.protocol != "morpho-blue" and (self.market_ids or self.loan_prices):
            raise ValueError("market_ids and loan_prices belong to protocol = 'morpho-blue'")
        return self


class Store(Section):
    url: str = "sqlite:///keeper.db"


class Signer(Section):
    """Either an encrypted keystore, or an external signer and the address that it signs for."""

    keystore: Path | None = None
    password_file: Path | None = None
    web3signer: str | None = None
    address: Address | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Signer:
        if (self.keystore is None) == (self.web3signer is None):
            raise ValueError("name either keystore or web3signer")
        if self.web3signer is None:
            if self.address is not None:
                raise ValueError("address: only used with web3signer; a keystore knows its own")
            return self
        if self.address is None:
            raise ValueError("address: web3signer needs the address to sign for")
        if self.password_file is not None:
            raise ValueError("password_file: only used with keystore")
        if not self.web3signer.startswith(("http://", "https://")):
            raise ValueError("web3signer: must start with http:// or https://")
        return self


class AccountPolicy(Section):
    """Thresholds for one account instead of the general ones."""

    market: str
    account: Address
    warn: Ratio | None = None
    top_up: Ratio | None = None
    liquidate: Ratio | None = None
    ignore: bool = False


class Policy(Section):
    warn: Ratio = Decimal("1.10")
    top_up: Ratio = Decimal("1.05")
    liquidate: Ratio = Decimal("1.0")
    target: Ratio = Decimal("1.25")
    hysteresis: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.005")
    """How far above a warn or top-up threshold an account must rise before its episode ends."""
    min_profit: Decimal = Decimal(0)
    """Least gain of a liquidation after gas, in whole units of account."""
    realize_bad_debt: bool = False
    """Whether accounts that owe more than they have are liquidated even at a loss."""
    max_bad_debt_loss: Money = Decimal(0)
    """Most that one such liquidation may lose, gas included, in whole units of account."""
    min_native: Money = Decimal(0)
    """Whole native coins that liquidations never spend; top-ups of protected accounts may."""
    gas_hours: Money = Decimal(24)
    """Fewer hours of gas money than this, at the recent rate of spending, are told."""
    receive_a_tokens: bool = True
    """Whether liquidations may take aTokens, to be redeemed later, where a pool has nothing to pay out."""
    max_per_day: Money | None = None
    """Most that liquidations and top-ups of one account may spend in 24 hours, whole units of account."""
    native_price: Money | None = None
    """Units of account a native coin costs; without it the wrapped native asset's price is used."""
    native_asset: str = "WETH"
    max_attempts: int = Field(default=5, ge=1)
    accounts: list[AccountPolicy] = []

    @model_validator(mode="after")
    def _ordered(self) -> Policy:
        if not self.warn >= self.top_up >= self.liquidate:
            raise ValueError("thresholds must fall: warn ≥ top_up ≥ liquidate")
        if self.liquidate > 1:
            raise ValueError("liquidate cannot exceed 1: no protocol allows it above health 1")
        if self.target < self.top_up:
            raise ValueError("target must not be below top_up, or a top-up would not end the breach")
        return self


class TopUpStep(Section):
    """One way to top up: supply a collateral or repay a debt, in the given asset (symbol or address)."""

    action: Literal["supply", "repay"]
    asset: str


class Permit(Section):
    """An allowance that the owner signed beforehand (EIP-2612) for the market's `owner_top_up`."""

    token: Address
    value: Annotated[int, Field(gt=0)]
    """Token units; a string in the file, as TOML numbers do not hold them."""
    nonce: int = Field(ge=0)
    deadline: int = Field(gt=0)
    signature: Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{130}$")]


class Protect(Section):
    market: str
    account: Address
    target: Ratio | None = None
    top_up: Ratio | None = None
    warn: Ratio | None = None
    max_per_day: Money
    """Whole units of account that top-ups of this owner may spend in 24 hours, in all markets together."""
    money: Literal["keeper", "owner"] = "keeper"
    """Whose money pays: the keeper's own inventory, or the owner's through the market's `owner_top_up`."""
    permits: list[Permit] = []
    on_unknown: Literal["watch", "top_up"] = "watch"
    """On a revision whose arithmetic is unknown or differs: only watch, or top up, sized by the contract's
    own view in rehearsals. Liquidations wait in either case."""
    steps: list[TopUpStep] = []
    """Tried in this order. Empty: repay each of the account's debts, then supply its collaterals."""

    @model_validator(mode="after")
    def _ordered(self) -> Protect:
        if self.target is not None and self.top_up is not None and self.target < self.top_up:
            raise ValueError("target must not be below top_up")
        return self


class AlertChannel(Section):
    url: str
    min_severity: Literal["info", "warning", "critical"] = "info"


class Allowed(Section):
    """A contract that may be called, and with which functions; none named: with all."""

    target: Address
    selectors: list[Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{8}$")]] = []


class Execution(Section):
    max_gas_price_gwei: Money = Decimal(500)
    max_spend_per_transaction: Money | None = None
    """Whole units of account that one transaction may spend."""
    max_spend_per_day: Money | None = None
    """The same for all transactions of 24 hours."""
    max_gas_per_day: Money | None = None
    """Whole native coins that gas may cost in 24 hours, what is in flight counted with its most."""
    max_in_flight: int = Field(default=16, ge=1)
    """Transactions in no block yet, beyond which nothing new is sent."""
    confirmations: int | None = Field(default=None, ge=1)
    """Blocks after which a transaction is final. Absent: when the chain says finalized; 1 on local chains."""
    settle_blocks: int = Field(default=1, ge=1)
    """Blocks after which an attempt ends by what its transaction did."""
    plan_blocks: int = Field(default=3, ge=1)
    """Blocks after which an intent that was not sent is given up and planned anew."""
    replace_blocks: int = Field(default=3, ge=1)
    """Blocks after which a transaction in no block is replaced by one that bids more."""
    cancel_blocks: int = Field(default=25, ge=1)
    """Blocks after which it is cancelled."""
    allow: list[Allowed] | None = None
    """What may be called. Absent: what the configured markets and contracts need."""


class Service(Section):
    alerts_file: Path | None = None
    """JSON lines, one an alert."""
    record: Path | None = None
    """JSON lines, one a block and market: every account's numbers as the keeper computed them."""
    pause_file: Path | None = None
    """While this file exists nothing is sent."""
    lease_seconds: Annotated[Decimal, Field(ge=2)] = Decimal(15)
    """How long another keeper with the same key and store waits for one that went silent."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="KEEPER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    chains: dict[str, Chain] = Field(min_length=1)
    markets: dict[str, Market] = Field(min_length=1)
    store: Store = Store()
    signer: Signer | None = None
    policy: Policy = Policy()
    protect: list[Protect] = []
    alerts: list[AlertChannel] = []
    execution: Execution = Execution()
    service: Service = Service()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        assert isinstance(init_settings, InitSettingsSource)
        return env_settings, init_settings

    @model_validator(mode="after")
    def _references(self) -> Settings:
        for name, market in self.markets.items():
            _known(f"markets.{name}.chain", market.chain, self.chains)
        for i, protect in enumerate(self.protect):
            _known(f"protect[{i}].market", protect.market, self.markets)
            if protect.money == "owner" and self.markets[protect.market].owner_top_up is None:
                raise ValueError(
                    f"protect[{i}].money: 'owner' needs markets.{protect.market}.owner_top_up; "
                    f"`keeper contracts deploy owner-top-up --market {protect.market} --live` makes one"
                )
            if protect.permits and protect.money != "owner":
                raise ValueError(f"protect[{i}].permits: only used with money = 'owner'")
            if (protect.target or self.policy.target) < (protect.top_up or self.policy.top_up):
                raise ValueError(f"protect[{i}]: target must not be below top_up")
        seen = [(p.market, p.account) for p in self.protect]
        if len(set(seen)) != len(seen):
            raise ValueError("protect: the same account of a market is listed twice")
        for i, account in enumerate(self.policy.accounts):
            _known(f"policy.accounts[{i}].market", account.market, self.markets)
        return self


def _known(where: str, name: str, table: Mapping[str, object]) -> None:
    if name not in table:
        raise ValueError(f"{where}: {name!r} is not defined; there is {', '.join(sorted(table))}")


def load(path: Path) -> Settings:
    """Read and validate the configuration; paths in it are relative to the file. ConfigError if wrong."""
    try:
        data = tomllib.loads(path.read_text(), parse_float=Decimal)
    except FileNotFoundError:
        raise ConfigError(
            "there is no such configuration file",
            where=str(path),
            remedy="Name one with --config FILE; README shows the smallest one",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", where=str(path)) from None
    try:
        settings = Settings(**data)
    except ValidationError as error:
        raise ConfigError(explain(error, Settings), where=str(path)) from None
    return _anchored(settings, path.resolve().parent)


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Relative paths mean: beside the configuration file, wherever the command is started."""
    changes: dict[str, object] = {}
    prefix = "sqlite:///"
    url = settings.store.url
    if url.startswith(prefix) and not url.startswith(prefix + "/") and url != prefix + ":memory:":
        changes["store"] = settings.store.model_copy(
            update={"url": prefix + str(folder / url.removeprefix(prefix))}
        )
    if settings.signer is not None:
        password = settings.signer.password_file
        changes["signer"] = settings.signer.model_copy(
            update={
                "keystore": folder / settings.signer.keystore if settings.signer.keystore else None,
                "password_file": folder / password if password else None,
            }
        )
    service = settings.service
    changes["service"] = service.model_copy(
        update={
            "alerts_file": folder / service.alerts_file if service.alerts_file else None,
            "record": folder / service.record if service.record else None,
            "pause_file": folder / service.pause_file if service.pause_file else None,
        }
    )
    return settings.model_copy(update=changes)
