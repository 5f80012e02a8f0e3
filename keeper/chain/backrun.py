"""Inclusion right behind a transaction that is not in a block yet, such as an oracle update.

One interface, two adapters. MEV-Share names the other transaction by its hash, as its content is private;
SVR's feeds, seen with their content, are bundled whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from keeper.chain.relay import Relay

Kind = Literal["svr", "mev-share"]


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """A stranger's transaction that is in no block: sender, target and data, its hash, its bytes where known,
    and the wei it sends."""

    sender: str
    target: str
    data: str
    hash: str
    raw: str = ""
    value: int = 0
    nonce: int = 0


class Backrun(Protocol):
    """How a relay is asked to include ours right behind another transaction."""

    @property
    def needs_bytes(self) -> bool:
        """Whether the whole bytes of the other transaction are needed."""
        ...

    def request(self, update: PendingUpdate, raws: list[str], block: int) -> tuple[str, dict[str, Any]]:
        """Method and parameters for exactly this block; ours must not be included elsewhere or alone."""
        ...


@dataclass(frozen=True, slots=True)
class MevShare:
    """`mev_sendBundle`: the update by its hash, then ours."""

    needs_bytes: bool = False

    def request(self, update: PendingUpdate, raws: list[str], block: int) -> tuple[str, dict[str, Any]]:
        body: list[dict[str, Any]] = [{"hash": update.hash}]
        body += [{"tx": raw, "canRevert": False} for raw in raws]
        inclusion = {"block": hex(block), "maxBlock": hex(block)}
        return "mev_sendBundle", {"version": "v0.1", "inclusion": inclusion, "body": body}


@dataclass(frozen=True, slots=True)
class Svr:
    """`eth_sendBundle`: the whole feed update, then ours."""

    needs_bytes: bool = True

    def request(self, update: PendingUpdate, raws: list[str], block: int) -> tuple[str, dict[str, Any]]:
        return "eth_sendBundle", {"txs": [update.raw, *raws], "blockNumber": hex(block)}


ADAPTERS: dict[Kind, Backrun] = {"mev-share": MevShare(), "svr": Svr()}


def submit(relay: Relay, adapter: Backrun, update: PendingUpdate, raws: list[str], block: int) -> None:
    """Ask the relay; NodeError without an answer (it may have accepted), RpcError when it refuses."""
    method, params = adapter.request(update, raws, block)
    relay.call(method, params)
