"""Compiled contracts, from an npm package or from our compiler, and the linking of their libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from eth_abi.abi import encode
from eth_typing import ABI
from eth_utils.abi import filter_abi_by_type, get_abi_input_types

from keeper import contracts
from keeper.errors import KeeperError
from keeper.localchain.packages import package_path


@dataclass(frozen=True)
class Artifact:
    """One compiled contract. `code` is creation code in hexadecimal without 0x, unlinked places as `__$…$__`.

    `links` maps a library's name to the byte offsets in `code` where its address belongs.
    """

    name: str
    abi: ABI
    code: str
    links: Mapping[str, tuple[int, ...]]

    def creation(self, arguments: Sequence[object], libraries: Mapping[str, str]) -> bytes:
        """What creates it: linked code and the constructor's arguments."""
        constructors = filter_abi_by_type("constructor", self.abi)
        types = get_abi_input_types(constructors[0]) if constructors else ()
        return self.linked(libraries) + encode(types, arguments)

    def linked(self, libraries: Mapping[str, str]) -> bytes:
        """Creation code with the libraries' addresses set; KeeperError when one is missing."""
        code = self.code
        for library, offsets in self.links.items():
            address = libraries.get(library)
            if address is None:
                raise KeeperError(f"library {library} is not deployed yet", where=self.name)
            for offset in offsets:
                code = code[: offset * 2] + address[2:].lower() + code[offset * 2 + 40 :]
        return bytes.fromhex(code)


def artifact(
    name: str, abi: ABI, code: str, references: Mapping[str, Mapping[str, list[dict[str, int]]]]
) -> Artifact:
    """An Artifact from compiler output: ABI, creation code (with or without 0x) and its link references."""
    links = {
        library: tuple(place["start"] for place in places)
        for file in references.values()
        for library, places in file.items()
    }
    return Artifact(name, abi, code.removeprefix("0x"), links)


@lru_cache(maxsize=64)
def package_artifact(relative: str) -> Artifact:
    """Reads a Hardhat artifact at a path inside `contracts/node_modules`."""
    content = json.loads(package_path(relative).read_text())
    return artifact(content["contractName"], content["abi"], content["bytecode"], content["linkReferences"])


def own_artifact(name: str) -> Artifact:
    """One of our own contracts as committed in `abis/`."""
    content = contracts.artifact(name)
    return artifact(name, content["abi"], content["bytecode"], {})
