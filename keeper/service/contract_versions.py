"""Versions of our deployed contracts, known by the hash of their code, and what each version lacks.

`abis/contract_versions.json` lists every version ever published, the present one last. A contract never
changes at its address: what was learnt once about an address holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from eth_utils.crypto import keccak

from keeper.chain.pool import NodePool
from keeper.contracts import ABIS

CALLBACK = "callback"
"""The ability to be called back for the money."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of one of our contracts; `lacks` names what later versions can do and this one cannot."""

    name: str
    number: int
    latest: int
    lacks: Mapping[str, str]

    @property
    def is_latest(self) -> bool:
        return self.number == self.latest


def of_code(name: str, code: bytes, *immutables: str) -> Version | None:
    """The version that this code is; None where it is none of ours. `immutables` are the addresses that its
    constructor wrote into the code."""
    for address in immutables:
        code = code.replace(bytes(12) + bytes.fromhex(address[2:]), bytes(32))
    found = keccak(code)
    versions = _versions(name)
    for number, (digest, lacks) in enumerate(versions, 1):
        if digest == found:
            return Version(name, number, len(versions), lacks)
    return None


def at(pool: NodePool, name: str, address: str, *immutables: str) -> Version | None:
    """The version deployed at an address."""
    code = str(pool.call("eth_getCode", address, "latest"))
    return of_code(name, bytes.fromhex(code[2:]), *immutables)


class Abilities:
    """What the configured contracts can do; each is asked once."""

    def __init__(self, pool: NodePool) -> None:
        self._pool = pool
        self._known: dict[str, frozenset[str]] = {}

    def lacking(self, name: str, address: str) -> frozenset[str]:
        """What the contract lacks; nothing where its version is unknown, which `doctor` reports as a
        fault."""
        if address not in self._known:
            version = at(self._pool, name, address)
            self._known[address] = frozenset(version.lacks if version is not None else ())
        return self._known[address]


@cache
def _versions(name: str) -> list[tuple[bytes, Mapping[str, str]]]:
    listed = json.loads((ABIS / "contract_versions.json").read_text())[name]
    return [(bytes.fromhex(each["hash"][2:]), each["lacks"]) for each in listed]
