"""Compiling Solidity with npm's `solc` (WebAssembly, run by node), cached by the hash of all that matters.

Imports are resolved here: relative ones against their file, others through remappings onto npm packages.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import posixpath
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast

from eth_typing import ABI
from eth_utils.abi import filter_abi_by_type, function_abi_to_4byte_selector

from keeper.errors import KeeperError, UnreachableError
from keeper.localchain.artifacts import Artifact, artifact
from keeper.localchain.packages import CONTRACTS, REPOSITORY, package_path
from keeper.localchain.rpc import Json, as_dict

CACHE = REPOSITORY / "build" / "solc-cache"
LOCKS = REPOSITORY / "build" / "solc-locks"
_SCRIPT = CONTRACTS / "solc.js"
_OUTPUTS = ("abi", "evm.bytecode.object", "evm.bytecode.linkReferences", "evm.deployedBytecode.object")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_IMPORT = re.compile(r"""\bimport\s+(?:[^;'"]*?\bfrom\s+)?['"]([^'"]+)['"]\s*;""")


@dataclass(frozen=True)
class Compilation:
    """What to compile and how.

    `roots` are files relative to `contracts/`; `remappings` map import prefixes to folders relative to
    `contracts/`; `replace` changes sources: file name to (old, new) pairs, each of which must occur.
    """

    roots: tuple[str, ...]
    remappings: tuple[tuple[str, str], ...] = ()
    runs: int = 200
    evm_version: str = "cancun"
    reproducible_metadata: bool = False
    replace: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    pragma: str | None = None
    """Version pragma put in place of each source's own; None keeps them."""
    compiler: str = "solc"
    """The npm package that compiles: "solc", or the name under which an older one is installed beside it."""
    within: str | None = None
    """A standard-JSON input inside `contracts/node_modules` that has all sources, named as in `roots`."""


@dataclass(frozen=True)
class Compiled:
    """One contract of a compilation: ABI, hexadecimal code without 0x, and link references."""

    name: str
    abi: ABI
    code: str
    runtime: str
    links: Json

    def artifact(self) -> Artifact:
        references = json.loads(json.dumps(self.links))
        return artifact(self.name, self.abi, self.code, references)

    def errors(self) -> dict[str, str]:
        """Names of the custom errors in the ABI by selector (0x and 8 digits)."""
        errors = filter_abi_by_type("error", self.abi)
        return {"0x" + function_abi_to_4byte_selector(each).hex(): each["name"] for each in errors}


def compiled(compilation: Compilation) -> dict[str, Compiled]:
    """Compiles, or reads the cached result; contracts of the root files by name.

    Raises KeeperError with the compiler's own message, UnreachableError when node or solc is missing.
    """
    request = json.dumps(standard_json(compilation), sort_keys=True)
    key = hashlib.sha256((compiler_version(compilation.compiler) + request).encode()).hexdigest()
    cached = CACHE / f"{key}.json"
    if not cached.exists():
        with _alone(key):
            if not cached.exists():
                _compile_into(cached, request, compilation)
    return _contracts(as_dict(json.loads(cached.read_text())))


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """Waits until no other process compiles the same: tests run in several, and a compilation takes long."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    with (LOCKS / key).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _compile_into(cached: Path, request: str, compilation: Compilation) -> None:
    output = _run_compiler(request, compilation.compiler)
    _raise_errors(output, compilation)
    CACHE.mkdir(parents=True, exist_ok=True)
    # A reader must never see half of it.
    partial = cached.with_suffix(f".{os.getpid()}.part")
    partial.write_text(output)
    partial.replace(cached)


def standard_json(compilation: Compilation) -> dict[str, Json]:
    """The compiler's whole input: every source by its import name, settings and wanted outputs."""
    settings: dict[str, Json] = {
        "optimizer": {"enabled": True, "runs": compilation.runs},
        "evmVersion": compilation.evm_version,
        "outputSelection": {root: {"*": list(_OUTPUTS)} for root in compilation.roots},
    }
    if compilation.reproducible_metadata:
        settings["metadata"] = {"bytecodeHash": "none", "appendCBOR": False}
    sources: dict[str, Json] = {name: {"content": text} for name, text in _sources(compilation).items()}
    return {"language": "Solidity", "sources": sources, "settings": settings}


@lru_cache(maxsize=8)
def compiler_version(package: str = "solc") -> str:
    """The compiler's version as `contracts/package-lock.json` pins it and npm installed it."""
    return str(json.loads(package_path(f"{package}/package.json").read_text())["version"])


def _sources(compilation: Compilation) -> dict[str, str]:
    if compilation.within is not None:
        return _packed(compilation.within, compilation.roots)
    found: dict[str, str] = {}
    waiting = [(root, CONTRACTS / root) for root in compilation.roots]
    while waiting:
        name, path = waiting.pop()
        if name in found:
            continue
        text = _text(name, path, compilation)
        found[name] = text
        for imported in _IMPORT.findall(_COMMENT.sub("", text)):
            waiting.append(_resolve(imported, name, compilation.remappings))
    return dict(sorted(found.items()))


def _packed(package: str, roots: Sequence[str]) -> dict[str, str]:
    """The roots and what they import, out of a published compiler input."""
    all_sources = json.loads(package_path(package).read_text())["sources"]
    found: dict[str, str] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = text = str(all_sources[name]["content"])
            waiting += [_within(each, name) for each in _IMPORT.findall(_COMMENT.sub("", text))]
    return dict(sorted(found.items()))


def _within(imported: str, importer: str) -> str:
    """The source unit that an import names."""
    if not imported.startswith("."):
        return imported
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), imported))


def _text(name: str, path: Path, compilation: Compilation) -> str:
    if not path.exists():
        raise UnreachableError("this Solidity source is missing", where=name, remedy="Run `make setup`")
    text = path.read_text()
    for old, new in compilation.replace.get(name, ()):
        if old not in text:
            raise KeeperError(f"the text to replace is not in this source: {old!r}", where=name)
        text = text.replace(old, new)
    if compilation.pragma is not None:
        text = re.sub(r"pragma solidity [^;]+;", f"pragma solidity {compilation.pragma};", text)
    return text


def _resolve(imported: str, importer: str, remappings: tuple[tuple[str, str], ...]) -> tuple[str, Path]:
    imported = _within(imported, importer)
    for prefix, folder in sorted(remappings, key=lambda pair: -len(pair[0])):
        if imported.startswith(prefix):
            return imported, CONTRACTS / folder / imported.removeprefix(prefix)
    if (CONTRACTS / imported).exists():
        return imported, CONTRACTS / imported
    return imported, package_path(imported)


def _run_compiler(request: str, package: str) -> str:
    package_path(f"{package}/package.json")
    node = shutil.which("node")
    if node is None:
        raise UnreachableError(
            "node is not on PATH; it runs the Solidity compiler",
            where="contracts/solc.js",
            remedy="Install Node 20 (Debian: apt-get install nodejs npm), then run `make setup`",
        )
    done = subprocess.run(  # noqa: S603 - our own script, no shell
        [node, str(_SCRIPT), "--package", package],
        input=request,
        capture_output=True,
        text=True,
        check=False,
        cwd=CONTRACTS,
    )
    if done.returncode != 0:
        raise KeeperError(f"the compiler ended with {done.returncode}: {done.stderr[-600:]}", where="solc")
    return done.stdout[done.stdout.index("{") :]


def _raise_errors(output: str, compilation: Compilation) -> None:
    errors = [
        str(problem.get("formattedMessage"))
        for problem in json.loads(output).get("errors", [])
        if problem.get("severity") == "error"
    ]
    if errors:
        raise KeeperError(f"does not compile:\n{errors[0]}", where=", ".join(compilation.roots))


def _contracts(output: dict[str, Json]) -> dict[str, Compiled]:
    contracts: dict[str, Compiled] = {}
    for file in as_dict(output["contracts"]).values():
        for name, found in as_dict(file).items():
            contract = as_dict(found)
            evm = as_dict(contract["evm"])
            code = as_dict(evm["bytecode"])
            runtime = as_dict(evm["deployedBytecode"])
            contracts[name] = Compiled(
                name,
                cast(ABI, contract["abi"]),
                str(code["object"]),
                str(runtime["object"]),
                code["linkReferences"],
            )
    return contracts
