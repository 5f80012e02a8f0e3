"""`keeper init`: from an address to a configuration, by asking or wholly from flags."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import typer

from keeper.cli.numbers import decimal
from keeper.cli.output import console, print_json, print_table
from keeper.config import checked_address
from keeper.errors import ConfigError
from keeper.oracles.sources import tree
from keeper.protocols.identity import NAMES
from keeper.setup.survey import Survey, connect, explore
from keeper.setup.text import configuration
from keeper.setup.wishes import MARKET_NAMES, Wishes, chain_name
from keeper.setup.writing import refuse_existing, write

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Flags:
    """What was given on the command line; None and empty are asked for at a terminal."""

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


def init(config: Path, flags: Flags, *, force: bool, ask: bool, as_json: bool) -> None:
    """Find, ask, write. Without a terminal, with --yes or --json nothing is asked."""
    refuse_existing(config, force=force)
    asking = ask and not as_json and sys.stdin.isatty()
    rpc = _wanted(flags.rpc, "URL of a node (http:// or https://)", "--rpc", asking, _url)
    pool, head = connect(rpc)
    address = _wanted(flags.address, "The market's address", "ADDRESS", asking, _address)
    found = explore(pool, head, rpc, address)
    if not as_json:
        _show(found)
    wishes = _wishes(flags, found, asking)
    write(config, configuration(found, wishes), force=force)
    if as_json:
        print_json(_as_object(config, found))
    else:
        console.print(f"\nwritten: {config}. Next: keeper doctor --config {config}", highlight=False)


def _wishes(flags: Flags, found: Survey, asking: bool) -> Wishes:
    usual = Wishes(
        chain=flags.chain or chain_name(found.chain_id),
        market=flags.market or MARKET_NAMES[found.identity.protocol],
    )

    def ratio(given: str | None, name: str, default: Decimal, question: str) -> Decimal:
        if given is None and asking:
            given = str(typer.prompt(question, default=str(default)))
        return default if given is None else decimal(given, name)

    warn = ratio(flags.warn, "--warn", usual.warn, "Tell me when health falls below")
    top_up = ratio(flags.top_up, "--top-up", usual.top_up, "Top up protected accounts below")
    target = ratio(flags.target, "--target", usual.target, "and bring them to")
    liquidate = ratio(flags.liquidate, "--liquidate", usual.liquidate, "Liquidate others below (at most 1)")
    protect, alerts, keystore = list(flags.protect), list(flags.alerts), flags.keystore
    if asking:
        protect = protect or _several("An account to protect (empty: no more)")
        keystore = keystore or typer.prompt("Keystore (empty: only watch)", default="", show_default=False)
        alerts = alerts or _several("An Apprise URL for alerts (empty: no more)")
    limit = usual.max_per_day
    if protect:
        limit = ratio(flags.max_per_day, "--max-per-day", limit, "Most that top-ups may spend a day")
    return Wishes(
        chain=usual.chain,
        market=usual.market,
        warn=warn,
        top_up=top_up,
        liquidate=liquidate,
        target=target,
        protect=tuple(_address(each) for each in protect),
        max_per_day=limit,
        keystore=keystore or None,
        password_file=flags.password_file,
        store=flags.store,
        alerts=tuple(alerts),
        from_block=flags.from_block,
    )


def _wanted(given: str | None, question: str, flag: str, asking: bool, check: Callable[[str], T]) -> T:
    if given is None:
        if not asking:
            raise ConfigError("is missing", where=flag, remedy=f"Give it: {question.lower()}")
        given = str(typer.prompt(question))
    return check(given.strip())


def _several(question: str) -> list[str]:
    answers: list[str] = []
    while answer := str(typer.prompt(question, default="", show_default=False)).strip():
        answers.append(answer)
    return answers


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ConfigError("does not start with http:// or https://", where="--rpc", remedy="Correct it")
    return text


def _address(text: str) -> str:
    try:
        return checked_address(text)
    except ValueError as error:
        raise ConfigError(f"{text[:80]!r} {error}", where="init") from None


def _show(found: Survey) -> None:
    version = found.version or "?"
    console.print(
        f"chain id {found.chain_id}, block {found.head.number}: {found.identity.address} is "
        f"{NAMES[found.identity.protocol]}, "
        f"revision {found.revision}, version {version}",
        highlight=False,
    )
    rows = [
        [
            asset.symbol,
            f"{Decimal(asset.price).scaleb(-found.base_decimals):,.4f}",
            tree(asset.source) if asset.source else "none",
            str(asset.heartbeat or ""),
            asset.because,
        ]
        for asset in found.assets
    ]
    print_table("assets", ["asset", "price", "price source", "heartbeat", "because"], rows)


def _as_object(config: Path, found: Survey) -> dict[str, object]:
    return {
        "config": str(config),
        "chain_id": found.chain_id,
        "block": found.head.number,
        "protocol": found.identity.protocol,
        "address": found.identity.address,
        "led_from": found.identity.led_from,
        "revision": found.revision,
        "version": found.version,
        "oracle": found.oracle,
        "from_block": found.from_block,
        "assets": [
            {
                "symbol": asset.symbol,
                "address": asset.address,
                "price": str(asset.price),
                "source": asset.source.address if asset.source else None,
                "kind": asset.source.kind if asset.source else None,
                "feeds": [feed.address for feed in asset.source.feeds()] if asset.source else [],
                "heartbeat": asset.heartbeat,
            }
            for asset in found.assets
        ],
    }
