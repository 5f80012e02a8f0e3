"""`keeper init`: from an address to a configuration, by asking or wholly from flags."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import typer

from keeper.cli.init_flags import Flags, address, check, check_adding, option, url
from keeper.cli.options import decimal
from keeper.cli.output import console, print_json, print_table
from keeper.config import chain_name
from keeper.errors import ConfigError
from keeper.oracles.sources import tree
from keeper.protocols.registry import PROTOCOLS, load
from keeper.setup.add_market import names_in, rpc_of, with_market
from keeper.setup.answers import InitAnswers
from keeper.setup.config_file import refuse_existing, write
from keeper.setup.survey import Survey, connect, explore
from keeper.setup.text import configuration

T = TypeVar("T")
KEYSTORE = "keystore.json"
"""Where `keeper key new` puts a key by default."""


def init(config: Path, flags: Flags, *, force: bool, ask: bool, add: bool = False, as_json: bool) -> None:
    """Find, ask, write; with `add` into the file that is there. Without a terminal, with --yes or --json
    nothing is asked."""
    existing = load(config) if add else None
    if existing is not None:
        check_adding(flags)
    else:
        refuse_existing(config, force=force)
    check(flags)
    asking = ask and not as_json and sys.stdin.isatty()
    known = flags.rpc or (rpc_of(existing, flags.chain) if existing else None)
    rpc = _wanted(known, "URL of a node (http:// or https://)", "--rpc", asking, url)
    pool, head = connect(rpc)
    if flags.from_block is not None and flags.from_block > head.number:
        raise ConfigError(
            f"block {flags.from_block} has not come: the chain is at {head.number}",
            where="--from-block",
            remedy="Name the block in which the market was created, or leave it out",
        )
    place = partial(address, where="ADDRESS")
    found = explore(pool, head, rpc, _wanted(flags.address, "The market's address", "ADDRESS", asking, place))
    if not as_json:
        _show(found)
    if existing is not None:
        chain, market = names_in(existing, found, flags.market, flags.chain)
        answers = _added(flags, chain, market, asking)
        write(config, with_market(config, existing, found, answers), force=True)
    else:
        answers = _answers(flags, found, config, asking)
        write(config, configuration(found, answers), force=force)
    if as_json:
        print_json(_as_object(config, found) | {"market": answers.market, "chain": answers.chain})
    else:
        console.print(f"\nwritten: {config}. Next: keeper doctor --config {config}", highlight=False)


def _added(flags: Flags, chain: str, market: str, asking: bool) -> InitAnswers:
    """The answers for a further market: thresholds, key and channels are the file's."""
    answers = InitAnswers(chain=chain, market=market, from_block=flags.from_block)
    protect, limit = _protected(flags, answers.max_per_day, asking)
    return replace(answers, protect=protect, max_per_day=limit)


def _protected(flags: Flags, usual: Decimal, asking: bool) -> tuple[tuple[str, ...], Decimal]:
    """The protected accounts, and the most that each may cost per day."""
    protect = list(flags.protect)
    if asking:
        protect = protect or _several("An account to protect (empty: no more)")
    limit = flags.max_per_day
    if protect and limit is None and asking:
        limit = str(typer.prompt("Most that top-ups may spend a day", default=str(usual)))
    accounts = tuple(address(each, "--protect") for each in protect)
    return accounts, usual if limit is None else decimal(limit, "--max-per-day")


_QUESTIONS = {
    "warn": "Tell me when health falls below",
    "top_up": "Top up protected accounts below",
    "target": "and bring them to",
    "liquidate": "Liquidate others below (at most 1)",
}


def _answers(flags: Flags, found: Survey, config: Path, asking: bool) -> InitAnswers:
    usual = InitAnswers(
        chain=flags.chain or chain_name(found.chain_id),
        market=flags.market or PROTOCOLS[found.identity.protocol].market,
        password_file=flags.password_file,
        store=flags.store,
        from_block=flags.from_block,
    )
    ratios: dict[str, Any] = {}
    for name, question in _QUESTIONS.items():
        given = getattr(flags, name)
        if given is None and asking:
            given = str(typer.prompt(question, default=str(getattr(usual, name))))
        if given is not None:
            ratios[name] = decimal(given, option(name))
    protect, limit = _protected(flags, usual.max_per_day, asking)
    alerts, keystore = list(flags.alerts), flags.keystore
    if keystore is None and (config.parent / KEYSTORE).is_file():
        # `keeper key new` has put it there.
        keystore = KEYSTORE
    if asking:
        keystore = keystore or typer.prompt("Keystore (empty: only watch)", default="", show_default=False)
        alerts = alerts or _several("An Apprise URL for alerts (empty: no more)")
    return replace(
        usual, **ratios, protect=protect, max_per_day=limit, keystore=keystore or None, alerts=tuple(alerts)
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


def _show(found: Survey) -> None:
    version = found.version or "?"
    console.print(
        f"chain id {found.chain_id}, block {found.head.number}: {found.identity.address} is "
        f"{PROTOCOLS[found.identity.protocol].title}, "
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
                "guessed": asset.guessed,
            }
            for asset in found.assets
        ],
    }
