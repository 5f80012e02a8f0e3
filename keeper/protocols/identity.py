"""Identification of an address: a market the keeper knows, a contract that leads to one, or something
else."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.abi import function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

from keeper.chain.blocks import Head
from keeper.chain.calls import Answer, Call, run
from keeper.chain.node import NodeError, RpcError
from keeper.chain.pool import NodePool
from keeper.errors import ConfigError
from keeper.model.bisection import edge
from keeper.protocols.registry import PROTOCOLS

# Whatever stands there may burn what it is given.
ASKED_GAS = 2_000_000
# Functions that only contracts of this kind answer; the first that does names it.
_OTHERS = (
    ("LENDINGPOOL_REVISION()", "an Aave v2 pool"),
    ("closeFactorMantissa()", "Compound v2 or a fork of it (Comptroller)"),
    ("latestRoundData()", "a price feed"),
    ("decimals()", "a token"),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """A market of a known protocol. `led_from` is the address that led to it, where it is another."""

    protocol: str
    address: str
    led_from: str | None = None


def identify(pool: NodePool, head: Head, address: str) -> Identity:
    """The market at `address`, or the one it belongs to; ConfigError says what stands there instead."""
    where = f"{address} on chain id {pool.chain_id}"
    if pool.call("eth_getCode", address, hex(head.number)) == "0x":
        raise ConfigError(
            "has no code: no contract stands there",
            where=where,
            remedy="Check the address, and that the node serves the chain it belongs to",
        )
    known = _protocol(pool, head, address)
    if known is not None:
        return Identity(known, address)
    leads = [signature for spec in PROTOCOLS.values() for signature in spec.leads]
    for answer in _ask(pool, head, address, leads):
        target = _as_address(answer)
        known = _protocol(pool, head, target) if target is not None else None
        if target is not None and known is not None:
            return Identity(known, target, led_from=address)
    answers = _ask(pool, head, address, [signature for signature, _ in _OTHERS])
    kinds = (name for (_, name), answer in zip(_OTHERS, answers, strict=True) if _answered(answer))
    kind = next(kinds, "a contract of no known protocol")
    raise ConfigError(
        f"is {kind}, not a market that the keeper knows",
        where=where,
        remedy=f"Name a market's own contract ({', '.join(spec.title for spec in PROTOCOLS.values())}) "
        "or one that leads to it",
    )


def first_block(pool: NodePool, address: str, newest: int) -> int | None:
    """The block that created the contract, by bisection; None when the node keeps no old states."""
    try:
        return edge(lambda block: pool.call("eth_getCode", address, hex(block)) != "0x", newest, -1)
    except (NodeError, RpcError):
        return None


def _protocol(pool: NodePool, head: Head, address: str) -> str | None:
    """The protocol of which this is a market; one request."""
    asked = [signature for spec in PROTOCOLS.values() for signature in spec.marks]
    answered = dict(zip(asked, map(_answered, _ask(pool, head, address, asked)), strict=True))
    return next((name for name, spec in PROTOCOLS.items() if all(answered[m] for m in spec.marks)), None)


def _ask(pool: NodePool, head: Head, address: str, signatures: tuple[str, ...] | list[str]) -> list[Answer]:
    calls = [
        Call(address, function_signature_to_4byte_selector(each) + _ARGUMENTS, ASKED_GAS)
        for each in signatures
    ]
    return run(pool, head, calls)


# An empty array, for the one function that takes one; the others ignore it.
_ARGUMENTS = (32).to_bytes(32, "big") + bytes(32)


def _answered(answer: Answer) -> bool:
    return answer.ok and len(answer.data) >= 32


def _as_address(answer: Answer) -> str | None:
    if not answer.ok or len(answer.data) != 32 or any(answer.data[:12]) or not any(answer.data):
        return None
    return str(to_checksum_address(answer.data[12:]))
