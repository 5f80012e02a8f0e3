"""Compiled contracts, from an npm package or from our compiler, and the linking of their libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from keeper.errors import KeeperError
from keeper.localchain.packages import package_path


@dataclass(frozen=True)
class Artifact:
    """One compiled contract. `code` is creation code in hexadecimal without 0x, unlinked places as `__$…$__`.

    `links` maps a library's name to the byte offsets in `code` where its address belongs.
    """

    name: str
    code: str
    links: Mapping[str, tuple[int, ...]]

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


def artifact(name: str, code: str, references: Mapping[str, Mapping[str, list[dict[str, int]]]]) -> Artifact:
    """An Artifact from compiler output: creation code (with or without 0x) and its link references."""
    links = {
        library: tuple(place["start"] for place in places)
        for file in references.values()
        for library, places in file.items()
    }
    return Artifact(name, code.removeprefix("0x"), links)


@lru_cache(maxsize=64)
def package_artifact(relative: str) -> Artifact:
    """Reads a Hardhat artifact at a path inside `contracts/node_modules`."""
    content = json.loads(package_path(relative).read_text())
    return artifact(content["contractName"], content["bytecode"], content["linkReferences"])
