"""The flags of `keeper init`, checked before any chain is asked."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from keeper.cli.options import decimal
from keeper.config import checked_address
from keeper.config.policy import Policy
from keeper.config_mistakes import explain
from keeper.doctor.channels import is_known
from keeper.errors import ConfigError

USUAL_STORE = "sqlite:///keeper.db"
RATIOS = ("warn", "top_up", "liquidate", "target")


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags given. None and empty ones are asked for at a terminal."""

    address: str | None
    rpc: str | None
    market: str | None
    chain: str | None
    warn: str | None
    top_up: str | None
    liquidate: str | None
    target: str | None
    protect: list[str]
    max_per_day: str | None
    keystore: str | None
    password_file: str | None
    store: str
    alerts: list[str]
    from_block: int | None


def check(flags: Flags) -> None:
    """Raise ConfigError for flags that no chain could make right."""
    if flags.rpc is not None:
        url(flags.rpc)
    if flags.address is not None:
        address(flags.address, "ADDRESS")
    given = ((name, getattr(flags, name)) for name in RATIOS)
    ratios = {name: decimal(text, option(name)) for name, text in given if text is not None}
    try:
        Policy.model_validate(ratios)
    except ValidationError as error:
        named = ", ".join(option(name) for name in ratios)
        raise ConfigError(explain(error, Policy), where=named, remedy="See keeper init --help") from None
    for account in flags.protect:
        address(account, "--protect")
    if flags.max_per_day is not None and decimal(flags.max_per_day, "--max-per-day") < 0:
        raise ConfigError(f"{flags.max_per_day} is less than nothing", where="--max-per-day")
    for channel in flags.alerts:
        if not is_known(channel):
            raise ConfigError(
                "is not an address that Apprise knows",
                where="--alert",
                remedy="See Apprise's list of services: mailto://…, slack://…, json://host/path",
            )


def check_adding(flags: Flags) -> None:
    """Raise ConfigError for flags whose values the file that is added to already has."""
    kept = {name: getattr(flags, name) for name in (*RATIOS, "keystore", "password_file")}
    kept |= {"alert": flags.alerts, "store": flags.store != USUAL_STORE}
    given = [option(name) for name, value in kept.items() if value]
    if given:
        raise ConfigError(
            "is for the whole file, which --add leaves as it is",
            where=", ".join(given),
            remedy="Change it in the file",
        )


def url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ConfigError("does not start with http:// or https://", where="--rpc", remedy="Correct it")
    return text


def address(text: str, where: str) -> str:
    """The address in its checksummed form."""
    try:
        return checked_address(text.strip())
    except ValueError as error:
        raise ConfigError(f"{text[:80]!r} {error}", where=where) from None


def option(name: str) -> str:
    """The name of a flag on the command line."""
    return "--" + name.replace("_", "-")
