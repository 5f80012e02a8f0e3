"""The settings: one TOML file, the environment over it, validated once.

Ratios are Decimals read from the file's own digits; a float never stands between file and arithmetic.
Environment variables `KEEPER_SECTION__KEY` override single values (KEEPER_STORE__URL, for example).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from eth_utils.address import is_address, is_hex_address, to_checksum_address
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

from keeper.errors import ConfigError

WAD = 10**18
HEAD_AGE_LIMIT = 300
# Development chains, whose time is made up: Hardhat's and Anvil's, Ganache's.
LOCAL_CHAIN_IDS = frozenset({31337, 1337})


def _address(value: str) -> str:
    if not is_hex_address(value):
        raise ValueError("is no address: write 0x and 40 hexadecimal digits")
    if not is_address(value):
        raise ValueError("has a wrong checksum: a digit is mistyped; copy the address again")
    return str(to_checksum_address(value))


Address = Annotated[str, AfterValidator(_address)]
Ratio = Annotated[Decimal, Field(gt=0, lt=1000)]
Money = Annotated[Decimal, Field(ge=0)]


def wad(ratio: Decimal) -> int:
    """A ratio scaled to 1e18, exactly."""
    return int(ratio * WAD)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Chain(Section):
    chain_id: int = Field(gt=0)
    rpc: list[str] = Field(min_length=1)
    block_time: Annotated[Decimal, Field(gt=0)] | None = None
    """Seconds between blocks; learnt from the chain when absent."""
    poll: Annotated[Decimal, Field(gt=0)] = Decimal("0.5")
    timeout: Annotated[Decimal, Field(gt=0)] = Decimal(20)
    log_range: int = Field(default=50_000, ge=1)
    """Blocks asked for in one log request at first; shrinks when a node refuses."""

    max_head_age: int | None = Field(default=None, ge=0)
    """Seconds the newest block may differ from this machine's clock before nothing is sent any more; 0: any.
    Absent: 300, and any on the chain ids of local chains."""

    @property
    def head_age_limit(self) -> int | None:
        """Seconds; None when block time and clock are not compared."""
        if self.max_head_age is None:
            return None if self.chain_id in LOCAL_CHAIN_IDS else HEAD_AGE_LIMIT
        return self.max_head_age or None

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
    protocol: Literal["aave-v3"]
    chain: str
    address: Address
    from_block: int = Field(default=0, ge=0)
    audit_sample: int = Field(default=8, ge=1)
    """Accounts compared with the contract's own view at every block, in turn."""
    unresolved: Literal["watch", "act"] = "watch"
    """What to do for accounts with an asset whose price source is of no known kind."""
    oracles: dict[str, Oracle] = {}
    """By symbol or address of the asset."""


class Store(Section):
    url: str = "sqlite:///keeper.db"


class Signer(Section):
    keystore: Path
    password_file: Path | None = None


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
    """Least gain of a liquidation after gas, in whole units of the base currency."""
    max_per_day: Money | None = None
    """Most that liquidations and top-ups of one account may spend in 24 hours, whole base units."""
    native_price: Money | None = None
    """Base currency a unit of gas money costs; without it the wrapped native asset's price is used."""
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


class Protect(Section):
    market: str
    account: Address
    target: Ratio | None = None
    top_up: Ratio | None = None
    warn: Ratio | None = None
    max_per_day: Money
    money: Literal["keeper"] = "keeper"
    """Whose money pays: the keeper's own inventory."""
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


class Execution(Section):
    max_gas_price_gwei: Money = Decimal(500)
    confirmations: int = Field(default=1, ge=1)
    plan_blocks: int = Field(default=3, ge=1)
    """Blocks after which an intent that was not sent is given up and planned anew."""


class Service(Section):
    alerts_file: Path | None = None
    """JSON lines, one an alert."""
    record: Path | None = None
    """JSON lines, one a block and market: every account's numbers as the keeper computed them."""


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
        raise ConfigError(_explain(error), where=str(path)) from None
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
                "keystore": folder / settings.signer.keystore,
                "password_file": folder / password if password else None,
            }
        )
    service = settings.service
    changes["service"] = service.model_copy(
        update={
            "alerts_file": folder / service.alerts_file if service.alerts_file else None,
            "record": folder / service.record if service.record else None,
        }
    )
    return settings.model_copy(update=changes)


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = f"unknown key{_nearest(problem['loc'])}"
        elif problem["type"] == "missing":
            message = "is required"
        else:
            shown = problem.get("input")
            if isinstance(shown, str | int | bool | Decimal) and "url" not in place:
                message = f"{message} (got {str(shown)[:80]!r})"
        lines.append(f"{place}: {message}" if place else message)
    return "; ".join(lines)


def _nearest(location: tuple[int | str, ...]) -> str:
    model: Any = Settings
    for part in location[:-1]:
        model = _step(model, part)
        if model is None:
            return ""
    names = list(getattr(model, "model_fields", {}))
    close = difflib.get_close_matches(str(location[-1]), names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(names))}"


def _step(model: Any, part: int | str) -> Any:
    """The model that a key of `model` holds, or `model` itself below a table or list."""
    fields = getattr(model, "model_fields", None)
    if fields is None or part not in fields:
        return model
    for candidate in _leaves(fields[part].annotation):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _leaves(annotation: Any) -> list[Any]:
    arguments = getattr(annotation, "__args__", ())
    return [annotation] if not arguments else [leaf for a in arguments for leaf in _leaves(a)]
