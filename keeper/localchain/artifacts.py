"""Compiled contracts, from an npm package or compiled here, and the linking of their libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi.abi import encode
from eth_typing import ABI
from eth_utils.abi import filter_abi_by_type, function_abi_to_4byte_selector, get_abi_input_types

from keeper import contracts
from keeper.errors import KeeperError
from keeper.localchain.packages import package_path


@dataclass(frozen=True)
class Artifact:
    """One compiled contract. `code` is its creation code, `runtime` its deployed code: hexadecimal without
    0x, unlinked places as `__$…$__`.

    `links` maps a library's name to the byte offsets in `code` where its address belongs.
    """

    name: str
    abi: ABI
    code: str
    runtime: str
    links: Mapping[str, tuple[int, ...]]

    def errors(self) -> dict[str, str]:
        """Names of the custom errors in the ABI by selector (0x and 8 digits)."""
        errors = filter_abi_by_type("error", self.abi)
        return {"0x" + function_abi_to_4byte_selector(each).hex(): each["name"] for each in errors}

    def creation(self, arguments: Sequence[object], libraries: Mapping[str, str]) -> bytes:
        """Data of the creating transaction: linked code and the constructor's arguments."""
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


References = Mapping[str, Mapping[str, list[dict[str, int]]]]
"""A compiler's link references: by file and library, places with their `start` (bytes)."""


def artifact(name: str, abi: ABI, code: str, runtime: str, references: References) -> Artifact:
    """An Artifact from compiler output: ABI, both codes (with or without 0x) and link references."""
    links = {
        library: tuple(place["start"] for place in places)
        for file in references.values()
        for library, places in file.items()
    }
    return Artifact(name, abi, code.removeprefix("0x"), runtime.removeprefix("0x"), links)


@lru_cache(maxsize=64)
def package_artifact(relative: str) -> Artifact:
    """The Hardhat artifact at a path inside `contracts/node_modules`."""
    return _committed(json.loads(package_path(relative).read_text()))


def own_artifact(name: str) -> Artifact:
    """One of our own contracts as committed in `abis/`."""
    return _committed({"contractName": name, "linkReferences": {}, **contracts.artifact(name)})


def _committed(content: Mapping[str, Any]) -> Artifact:
    return artifact(
        content["contractName"],
        content["abi"],
        content["bytecode"],
        content["deployedBytecode"],
        content["linkReferences"],
    )
