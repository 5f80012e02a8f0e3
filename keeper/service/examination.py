"""The doctor's examination: every part the daemon needs, looked at once, with a remedy for each fault."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from apprise import Apprise

from keeper.chain import blocks
from keeper.chain import signer as keys
from keeper.chain.calls import run as read
from keeper.chain.node import RpcError
from keeper.chain.pool import NodePool
from keeper.config import Settings
from keeper.errors import KeeperError
from keeper.execution.rehearsal import simulate
from keeper.service.markets import MarketRun, build, pools
from keeper.service.price_examination import price_lines
from keeper.service.pricing import Pricing
from keeper.service.valuing import value
from keeper.store.database import open_store

Verdict = Literal["ok", "warning", "fault"]
OLD_HEAD_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    subject: str
    verdict: Verdict
    detail: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings, in the order in which things depend on each other."""
    nodes = pools(settings)
    reachable = set()
    for name, pool in nodes.items():
        for finding in _chain(name, pool):
            if finding.verdict == "ok" and finding.subject == f"chain {name}":
                reachable.add(name)
            yield finding
    yield from _attempt("store", lambda: _store(settings))
    for run in build(settings, nodes, None):
        if run.settings.chain in reachable:
            yield from _attempt(f"market {run.name}", partial(_market, settings, run))
        else:
            yield Finding(f"market {run.name}", "fault", "its chain cannot be reached")
    yield from _signer(settings, {name: nodes[name] for name in reachable})
    yield from _channels(settings)


def _attempt(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of one part; an error the keeper knows becomes its fault."""
    try:
        yield from list(look())
    except KeeperError as error:
        where = f"{error.where}: " if error.where else ""
        yield Finding(subject, "fault", where + error.what, error.remedy)


def _chain(name: str, pool: NodePool) -> Iterator[Finding]:
    answering = 0
    for node in pool.nodes:
        try:
            found = int(node.call("eth_chainId", []), 16)
        except KeeperError as error:
            yield Finding(f"chain {name}, {node.label}", "fault", error.what, error.remedy)
            continue
        if found != pool.chain_id:
            yield Finding(
                f"chain {name}, {node.label}",
                "fault",
                f"serves chain {found}, chain_id says {pool.chain_id}",
                "Correct chain_id or remove this node",
            )
            continue
        answering += 1
    if not answering:
        return
    try:
        head = blocks.latest(pool)
    except KeeperError as error:
        yield Finding(f"chain {name}, nodes", "fault", error.what, error.remedy)
        return
    yield Finding(f"chain {name}", "ok", f"chain id {pool.chain_id}, block {head.number}")
    age = int(time.time()) - head.timestamp
    if abs(age) > OLD_HEAD_SECONDS:
        yield Finding(
            f"chain {name}, head",
            "warning",
            f"the newest block is {abs(age)} s {'old' if age > 0 else 'ahead of this clock'}",
            "On a fork or local chain this is normal; else check the node and this machine's clock",
        )
    try:
        simulate(pool, [], head.timestamp + 1)
    except RpcError:
        yield Finding(
            f"chain {name}, eth_simulateV1",
            "warning",
            "not offered: allowance and action are rehearsed one after the other, a block later",
            "Use a node with eth_simulateV1 (geth 1.14.9 or newer)",
        )


def _store(settings: Settings) -> Iterator[Finding]:
    open_store(settings.store.url).close()
    yield Finding("store", "ok", settings.store.url.split("@")[-1])


def _market(settings: Settings, run: MarketRun) -> Iterator[Finding]:
    head = blocks.latest(run.book.pool)
    run.prices = Pricing(run.name, run.settings, run.book.pool)
    at = value(run, head)
    state = run.book.state
    version = run.adapter.version(state)
    detail = f"{run.adapter.protocol} {version or '?'}, {len(at.valuations)} accounts"
    if run.stopped:
        yield Finding(
            f"market {run.name}",
            "fault",
            f"watched only: {run.stopped}",
            "Wait for a keeper that knows this version; nothing is sent meanwhile",
        )
    else:
        yield Finding(f"market {run.name}", "ok", detail)
        yield Finding(f"market {run.name}, parity", "ok", "a sample equals the contract's own view")
    yield from (Finding(*line) for line in price_lines(run.prices))
    known = run.book.accounts
    for i, protect in enumerate(settings.protect):
        if protect.market == run.name and protect.account.lower() not in known:
            yield Finding(
                f"protect[{i}]",
                "warning",
                f"{protect.account} has no position in {run.name}",
                "Check the address, or the market's from_block",
            )
    facts = run.adapter.read_planning(
        state, [], read(run.book.pool, head, run.adapter.planning_calls(state, [], run.adapter.contract))
    )
    policy = settings.policy
    if policy.native_price is None and run.adapter.gas_price_asset(state, facts, policy.native_asset) is None:
        yield Finding(
            f"market {run.name}, gas",
            "warning",
            f"{policy.native_asset} is not listed here, so gas is not counted as a cost",
            "Set policy.native_price, or policy.native_asset to a listed symbol",
        )


def _signer(settings: Settings, nodes: dict[str, NodePool]) -> Iterator[Finding]:
    if settings.signer is None:
        yield Finding("signer", "warning", "none: the keeper can only watch", "Add [signer] to plan and act")
        return
    path = settings.signer.keystore
    if path.exists() and os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding("signer, file", "warning", f"{path} is open to others", f"chmod 600 {path}")
    try:
        signer = keys.load(settings.signer)
    except KeeperError as error:
        yield Finding("signer", "fault", error.what, error.remedy)
        return
    yield Finding("signer", "ok", signer.address)
    for name, pool in nodes.items():
        balance = int(pool.call("eth_getBalance", signer.address, "latest"), 16)
        verdict: Verdict = "ok" if balance else "fault"
        remedy = "" if balance else f"Send native currency to {signer.address} for gas"
        whole, rest = divmod(balance, 10**18)
        detail = f"{whole}.{rest // 10**14:04d} native coins on {name}"
        yield Finding("signer, gas", verdict, detail, remedy)


def _channels(settings: Settings) -> Iterator[Finding]:
    if not settings.alerts and settings.service.alerts_file is None:
        yield Finding("alerts", "warning", "only the console is told", "Add [[alerts]] with an Apprise URL")
    for i, channel in enumerate(settings.alerts):
        if Apprise().add(channel.url):
            yield Finding(f"alerts[{i}]", "ok", "a service Apprise knows; `keeper alerts test` sends to it")
        else:
            yield Finding(
                f"alerts[{i}]",
                "fault",
                "not an address that Apprise knows",
                "See Apprise's list of services",
            )
