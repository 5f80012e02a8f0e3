"""The nodes of a chain: whether each answers, is on the right chain, up to date, and accepts large
requests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from keeper.chain import blocks
from keeper.chain.answers import CannotError, NodeError, RpcError
from keeper.chain.block_time import clock_complaint
from keeper.chain.calls import GAS
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.config import ChainSettings
from keeper.errors import ConfigError, KeeperError
from keeper.execution.rehearsal import means
from keeper.model.finding import Finding

OLD_HEAD_SECONDS = 300
# Blocks that a node may lag behind the best of its chain before it is told.
LAG_BLOCKS = 3
# Gas within which the lens reads a few hundred accounts.
SMALL_GAS_CAP = 30_000_000
# How far back a node without archive still knows states, with room to spare: geth keeps 128.
RECENT_BLOCKS = 1_000
_PROBE = "0x00000000000000000000000000000000ba7c0002"
# GAS PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN: answers how much gas it was given.
_GAS_LEFT = "0x5a60005260206000f3"


@dataclass(frozen=True, slots=True)
class Seen:
    """A node that serves the right chain, and its newest block."""

    node: Node
    number: int
    timestamp: int


def nodes(settings: ChainSettings, pool: NodePool) -> Iterator[Finding]:
    """Check each node of one chain, then the chain as a whole; `chain <name>` is ok when it can be used."""
    seen: list[Seen] = []
    for node in pool.nodes:
        try:
            seen.append(_look(node, pool.chain_id))
        except KeeperError as error:
            yield Finding.fault(
                f"chain {pool.name}, {node.label}", error.what, error.remedy or "Use another node"
            )
    if not seen:
        return
    newest = max(each.number for each in seen)
    for each in seen:
        yield from _node(pool.name, each, newest)
    try:
        head = blocks.latest(pool)
    except KeeperError as error:
        yield Finding.fault(f"chain {pool.name}, nodes", error.what, error.remedy)
        return
    yield Finding.ok(f"chain {pool.name}", f"chain id {pool.chain_id}, block {head.number}")
    yield from _clock(settings, pool, head)
    yield from _logs(settings, pool, head)
    yield from _rehearsals(pool, head)


def _rehearsals(pool: NodePool, head: blocks.Head) -> Iterator[Finding]:
    """How the acting loop can rehearse: whole sequences where any node can, else one action per block."""
    subject = f"chain {pool.name}, rehearsals"
    try:
        found = means(pool, _PROBE, head.timestamp + 1)
    except KeeperError as error:
        yield Finding.fault(subject, error.what, error.remedy)
        return
    if found == "simulation":
        yield Finding.ok(subject, "whole plans, by eth_simulateV1")
    elif found == "as signer":
        yield Finding.ok(
            subject,
            "whole plans, in one eth_call as the signer (no eth_simulateV1: liquidations share no "
            "transaction, and oracle updates are waited for)",
        )
    else:
        yield Finding.warning(
            subject,
            "neither eth_simulateV1 nor state overrides: allowance and action are rehearsed one after the "
            "other, a block later",
            "Use a node with eth_simulateV1 (geth 1.14.9 or newer)",
        )


def _look(node: Node, chain_id: int) -> Seen:
    found = int(node.call("eth_chainId", []), 16)
    if found != chain_id:
        raise ConfigError(
            f"serves chain {found}, but chain_id says {chain_id}",
            where=node.label,
            remedy=f"Correct chain_id in the configuration, or use a node of chain {chain_id}",
        )
    block = node.call("eth_getBlockByNumber", ["latest", False])
    return Seen(node, int(block["number"], 16), int(block["timestamp"], 16))


def _node(chain: str, seen: Seen, newest: int) -> Iterator[Finding]:
    subject = f"chain {chain}, {seen.node.label}"
    if newest - seen.number > LAG_BLOCKS:
        yield Finding.warning(
            subject,
            f"is {newest - seen.number} blocks behind the newest of this chain's nodes",
            "Wait until it is synchronised, or list it last",
        )
    try:
        cap = _gas_cap(seen.node)
    except CannotError as error:
        yield Finding.fault(
            f"{subject}, state override",
            f"eth_call with replaced code is refused: {error.what}",
            "The keeper reads through it: use a node that offers it (geth, erigon, reth, nethermind)",
        )
        return
    except (NodeError, RpcError) as error:
        yield Finding.fault(f"{subject}, reads", error.what, "Use another node, or ask its operator")
        return
    small = cap < SMALL_GAS_CAP
    yield Finding(
        f"{subject}, gas cap",
        "warning" if small else "ok",
        f"a read may use {cap:,} gas" + (" (more is refused)" if seen.node.most_gas is not None else ""),
        "Reads are cut into many requests; raise the node's cap (geth: --rpc.gascap)" if small else "",
    )
    heads = "offers new heads" if seen.node.offers_websocket() else "none at this address"
    yield Finding.ok(f"{subject}, websocket", f"{heads}; blocks are polled")
    old = max(seen.number - RECENT_BLOCKS, 0)
    try:
        seen.node.call("eth_getBalance", [_PROBE, hex(old)])
        yield Finding.ok(f"{subject}, archive", f"knows the state of block {old}")
    except (NodeError, RpcError):
        yield Finding.warning(
            f"{subject}, archive",
            f"does not know the state of block {old}",
            "Nothing needs it but `fork --block` and explanations of the past; an archive node has it",
        )


def _gas_cap(node: Node) -> int:
    """The gas that a read may use: the node's cap, or what it was found to accept where it refuses more."""
    call = {"to": _PROBE, "data": "0x", "gas": hex(GAS)}
    answer = node.call("eth_call", [call, "latest", {_PROBE: {"code": _GAS_LEFT}}])
    return int(answer, 16)


def _clock(settings: ChainSettings, pool: NodePool, head: blocks.Head) -> Iterator[Finding]:
    chain = settings.chain
    held = clock_complaint(chain, head, time.time())
    age = int(time.time()) - head.timestamp
    side = "old" if age >= 0 else "ahead of this clock"
    if held:
        yield Finding.fault(
            f"chain {pool.name}, clock",
            f"the newest block is {abs(age)} s {side}: nothing would be sent",
            "Check this machine's clock (NTP) and whether the node is synchronised, or set max_head_age",
        )
    elif abs(age) > OLD_HEAD_SECONDS:
        yield Finding.warning(
            f"chain {pool.name}, clock",
            f"the newest block is {abs(age)} s {side}, which is not checked on this chain",
            "On a fork or local chain this is normal; else set max_head_age",
        )
    else:
        yield Finding.ok(f"chain {pool.name}, clock", f"the newest block is {abs(age)} s {side}")


def _logs(settings: ChainSettings, pool: NodePool, head: blocks.Head) -> Iterator[Finding]:
    """How many blocks of logs one request may cover, found by halving; the filter matches nothing."""
    wanted = settings.chain.log_range
    width = wanted
    while width:
        first = max(head.number - width + 1, 0)
        query = {"address": _PROBE, "fromBlock": hex(first), "toBlock": hex(head.number)}
        try:
            pool.call("eth_getLogs", query)
            break
        except (NodeError, RpcError):
            width //= 2
    subject = f"chain {pool.name}, logs"
    if not width:
        yield Finding.fault(
            subject, "eth_getLogs is refused", "Accounts are found by it: use a node that offers it"
        )
    elif width < wanted:
        yield Finding.warning(
            subject,
            f"{wanted} blocks a request are refused, {width} are answered",
            f"Ranges shrink by themselves; log_range = {width} saves the refused requests",
        )
    else:
        yield Finding.ok(subject, f"{wanted} blocks a request")
