"""The settings: one TOML file, overridden by the environment, validated once.

Environment variables `KEEPER_SECTION__KEY` override single values (KEEPER_STORE__URL, for example).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import Field, PrivateAttr, ValidationError, create_model, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from keeper.config.chain_settings import ChainSettings
from keeper.config.chains import Chain
from keeper.config.markets import MarketSettings, ProtocolSettings, table_of
from keeper.config.old_keys import OldKey, Place, renew, told, words
from keeper.config.policy import Policy, Protect
from keeper.config.running import AlertChannel, Execution, Service, SignerSettings, StoreSettings
from keeper.config.values import Section
from keeper.config_mistakes import explain
from keeper.errors import ConfigError

S = TypeVar("S", bound=Section)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="KEEPER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    chains: dict[str, Chain] = Field(min_length=1)
    markets: dict[str, MarketSettings] = Field(min_length=1)
    store: StoreSettings = StoreSettings()
    signer: SignerSettings | None = None
    policy: Policy = Policy()
    protect: list[Protect] = []
    alerts: list[AlertChannel] = []
    execution: Execution = Execution()
    service: Service = Service()

    _old_keys: tuple[OldKey, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use only the values given: `load` combines file and environment, each by today's keys."""
        return (init_settings,)

    @property
    def old_keys(self) -> tuple[tuple[str, str], ...]:
        """Each old key that is used, and its replacement."""
        found = told(self._old_keys)
        if self.policy.native_price is not None:
            chains = ", ".join(f"chains.{name}.native_price" for name in self.chains)
            found.append(("policy.native_price", f"one number for all chains: set {chains} instead"))
        return tuple(found)

    def of_chain(self, name: str) -> ChainSettings:
        """The settings that the steps of one chain need."""
        protect = {i: p for i, p in enumerate(self.protect) if self.markets[p.market].chain == name}
        return ChainSettings(name, self.chains[name], self.policy, self.execution, protect)

    def written_at(self, place: Place) -> Place:
        """Where the file gives this place's value: an old key's place where it was written so."""
        return next((each.written for each in self._old_keys if each.place == place), place)

    @model_validator(mode="after")
    def _references(self) -> Settings:
        for name, market in self.markets.items():
            _known(f"markets.{name}.chain", market.chain, self.chains)
        for i, protect in enumerate(self.protect):
            _known(f"protect[{i}].market", protect.market, self.markets)
            market = self.markets[protect.market]
            if protect.paid_by == "owner" and "owner-top-up" not in market.own.contracts:
                raise ValueError(
                    f"protect[{i}].paid_by: an owner's own money cannot top up in {market.protocol}: "
                    'write "keeper", or take the entry out'
                )
            if protect.paid_by == "owner" and market.own.ours("owner-top-up") is None:
                table = table_of(market.protocol)
                raise ValueError(
                    f"protect[{i}].paid_by: 'owner' needs markets.{protect.market}.{table}.owner_top_up; "
                    f"`keeper contracts deploy owner-top-up --market {protect.market} --live` makes one"
                )
            if protect.permits and protect.paid_by != "owner":
                raise ValueError(f"protect[{i}].permits: only used with paid_by = 'owner'")
            if (protect.target or self.policy.target) < (protect.top_up or self.policy.top_up):
                raise ValueError(f"protect[{i}]: target must not be below top_up")
        _once("protect", [(p.market, p.account) for p in self.protect])
        _once("policy.accounts", [(a.market, a.account) for a in self.policy.accounts])
        for i, account in enumerate(self.policy.accounts):
            _known(f"policy.accounts[{i}].market", account.market, self.markets)
        return self


def _once(where: str, listed: Sequence[tuple[str, str]]) -> None:
    """Refuse two entries for one thing: which of them counts is not guessed."""
    for i, each in enumerate(listed):
        first = listed.index(each)
        if first != i:
            market, account = each
            raise ValueError(
                f"{where}[{i}]: {account} of {market} is listed twice, here and as {where}[{first}]: "
                "take one out"
            )


def _known(where: str, name: str, table: Mapping[str, object]) -> None:
    if name not in table:
        raise ValueError(f"{where}: {name!r} is not defined; there is {', '.join(sorted(table))}")


def settings_model(market: type[MarketSettings]) -> type[Settings]:
    """The settings with markets of this kind."""
    markets: Any = dict[str, market]  # type: ignore[valid-type]
    made: type[Settings] = create_model("Settings", __base__=Settings, markets=(markets, Field(min_length=1)))
    return made


def read(path: Path, model: type[Settings]) -> Settings:
    """Read and validate the configuration; paths in it are relative to the file. ConfigError if wrong."""
    try:
        data = tomllib.loads(path.read_text(), parse_float=Decimal)
    except FileNotFoundError:
        raise ConfigError(
            "there is no such configuration file",
            where=str(path),
            remedy="Make one with `keeper init ADDRESS --rpc URL`, or name another with --config FILE",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not valid TOML: {error}", where=str(path)) from None
    environment = EnvSettingsSource(model)()
    moved = _moved(_over(data, environment), model)
    file, used = renew(data, moved, str(path))
    environment, more = renew(environment, moved, "the environment")
    written = {each.place: each.written for each in (*used, *more)}
    try:
        settings = model(**_over(file, environment))
    except ValidationError as error:
        what = explain(error, model, written)
        for place, old in written.items():
            what = what.replace(words(place), words(old))
        raise ConfigError(what, where=str(path)) from None
    settings._old_keys = (*used, *more)
    return _anchored(settings, path.resolve().parent)


def _moved(data: Any, model: type[Settings]) -> list[OldKey]:
    """The keys that moved into the tables of configured markets, with their old and new places."""
    [market] = (each for each in get_args(model.model_fields["markets"].annotation) if each is not str)
    found = []
    for name, section in data.get("markets", {}).items() if isinstance(data.get("markets"), dict) else ():
        for table, field in market.model_fields.items():
            own: Any = field.annotation
            if not (isinstance(own, type) and issubclass(own, ProtocolSettings)):
                continue
            place = ("markets", name, table)
            found += [
                OldKey(("markets", name, old), (*place, new)) for old, new in own.moved_from_market.items()
            ]
            if isinstance(section, dict) and table == table_of(str(section.get("protocol"))):
                found += [
                    OldKey(("policy", old), (*place, new)) for old, new in own.moved_from_policy.items()
                ]
    return found


def _over(below: Any, above: Any) -> Any:
    """Merge tables key by key; of other values the upper one wins."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _over(below[key], above[key]) if key in below else above[key] for key in above}


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Settings with relative paths resolved against the configuration file, wherever the command runs."""
    changes: dict[str, object] = {}
    prefix = "sqlite:///"
    url = settings.store.url
    if url.startswith(prefix) and not url.startswith(prefix + "/") and url != prefix + ":memory:":
        changes["store"] = settings.store.model_copy(
            update={"url": prefix + str(folder / url.removeprefix(prefix))}
        )
    if settings.signer is not None:
        changes["signer"] = _beside(settings.signer, folder)
    changes["service"] = _beside(settings.service, folder)
    return settings.model_copy(update=changes)


def _beside(section: S, folder: Path) -> S:
    """The section with every path in it resolved against this folder."""
    return section.model_copy(
        update={name: folder / value for name, value in section if isinstance(value, Path)}
    )
