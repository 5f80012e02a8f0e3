"""The configuration of a fork: everything that could reach beyond this machine is replaced."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from keeper.chain.node import Node
from keeper.config import Settings
from keeper.errors import ConfigError, UnreachableError

_POLL = Decimal("0.05")


def choose_chain(settings: Settings, name: str | None) -> str:
    """The chain to fork: the named one, or the only one that a market is on."""
    used = sorted({market.chain for market in settings.markets.values()})
    if name is None:
        if len(used) == 1:
            return used[0]
        raise ConfigError("there are several chains", where="fork", remedy=f"Add --chain {' or '.join(used)}")
    if name not in used:
        raise ConfigError(
            f"no market is on a chain {name!r}", where="--chain", remedy=f"There is {', '.join(used)}"
        )
    return name


def answering_node(settings: Settings, chain: str) -> str:
    """URL of the first node that answers for this chain; ConfigError when one serves another."""
    wanted = settings.chains[chain]
    failure: UnreachableError | None = None
    for url in wanted.rpc:
        node = Node(url, wanted.timeout)
        try:
            found = int(node.call("eth_chainId", []), 16)
        except UnreachableError as error:
            failure = error
            continue
        if found != wanted.chain_id:
            raise ConfigError(
                f"serves chain {found}, but chain_id says {wanted.chain_id}",
                where=f"chains.{chain}, {node.label}",
                remedy="Correct chain_id or the rpc entry",
            )
        return url
    assert failure is not None
    raise failure


def local_only(settings: Settings, chain: str, url: str, folder: Path, block_time: int) -> Settings:
    """The same markets and policy on the fork at `url`, with a store and files of its own, no channel and no
    key."""
    forked = settings.chains[chain].model_copy(
        update={
            "rpc": [url],
            "poll": _POLL,
            "block_time": Decimal(block_time),
            "max_head_age": 0,
            "relay": None,
        }
    )
    markets = {name: market for name, market in settings.markets.items() if market.chain == chain}
    policy = settings.policy
    return settings.model_copy(
        update={
            "chains": {chain: forked},
            "markets": markets,
            "store": settings.store.model_copy(update={"url": f"sqlite:///{folder / 'fork.db'}"}),
            "signer": None,
            "alerts": [],
            "protect": [each for each in settings.protect if each.market in markets],
            "execution": settings.execution.model_copy(update={"confirmations": 1}),
            "policy": policy.model_copy(
                update={"accounts": [each for each in policy.accounts if each.market in markets]}
            ),
            "service": settings.service.model_copy(
                update={"alerts_file": folder / "alerts.jsonl", "record": None, "pause_file": None}
            ),
        }
    )
