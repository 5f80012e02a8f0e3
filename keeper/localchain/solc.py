"""Compilation of Solidity with npm's `solc` (WebAssembly, run by node), cached by the hash of all inputs.

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
from functools import cache, lru_cache
from pathlib import Path

from keeper.errors import KeeperError, UnreachableError
from keeper.localchain.artifacts import Artifact, artifact
from keeper.localchain.packages import CONTRACTS, REPOSITORY, package_path
from keeper.localchain.rpc import Json

CACHE = REPOSITORY / "build" / "solc-cache"
LOCKS = REPOSITORY / "build" / "solc-locks"
_SCRIPT = CONTRACTS / "solc.js"
_OUTPUTS = ("abi", "evm.bytecode.object", "evm.bytecode.linkReferences", "evm.deployedBytecode.object")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_IMPORT = re.compile(r"""\bimport\s+(?:[^;'"]*?\bfrom\s+)?['"]([^'"]+)['"]\s*;""")


@dataclass(frozen=True)
class Compilation:
    """Sources to compile, and the compiler's settings.

    `roots` are files relative to `contracts/`; `remappings` map import prefixes to folders relative to
    `contracts/`; `replace` changes sources: file name to (old, new) pairs, each of which must occur.
    """

    roots: tuple[str, ...]
    remappings: tuple[tuple[str, str], ...] = ()
    runs: int = 200
    evm_version: str = "cancun"
    reproducible_metadata: bool = False
    via_ir: bool = False
    """Whether code is made by way of Yul, which takes longer and makes it smaller."""
    replace: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict, hash=False)
    pragma: str | None = None
    """Version pragma that replaces each source's own; None keeps them."""
    compiler: str = "solc"
    """The npm package that compiles: "solc", or the name under which an older one is installed beside it."""
    within: str | None = None
    """A standard-JSON input inside `contracts/node_modules` that has all sources, named as in `roots`."""


@cache
def artifacts(compilation: Compilation) -> dict[str, Artifact]:
    """As `compiled`, cached in this process."""
    return compiled(compilation)


def compiled(compilation: Compilation) -> dict[str, Artifact]:
    """Compile, or read the cached result; contracts of the root files by name.

    Raises KeeperError with the compiler's own message, UnreachableError when node or solc is missing.
    """
    request = json.dumps(standard_json(compilation), sort_keys=True)
    key = hashlib.sha256((compiler_version(compilation.compiler) + request).encode()).hexdigest()
    cached = CACHE / f"{key}.json"
    if not cached.exists():
        with _alone(key):
            if not cached.exists():
                _compile_into(cached, request, compilation)
    return {
        name: artifact(
            name,
            found["abi"],
            found["evm"]["bytecode"]["object"],
            found["evm"]["deployedBytecode"]["object"],
            found["evm"]["bytecode"]["linkReferences"],
        )
        for file in json.loads(cached.read_text())["contracts"].values()
        for name, found in file.items()
    }


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """Hold a lock while compiling, so that no other process compiles the same: tests run in several."""
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
    if compilation.via_ir:
        settings["viaIR"] = True
    if compilation.reproducible_metadata:
        settings["metadata"] = {"bytecodeHash": "none", "appendCBOR": False}
    sources: dict[str, Json] = {name: {"content": text} for name, text in _sources(compilation).items()}
    return {"language": "Solidity", "sources": sources, "settings": settings}


@lru_cache(maxsize=8)
def compiler_version(package: str = "solc") -> str:
    """The installed version of the compiler's npm package."""
    return str(json.loads(package_path(f"{package}/package.json").read_text())["version"])


def _sources(compilation: Compilation) -> dict[str, str]:
    """Sources of the roots and all that they import, by source unit name."""
    packed = compilation.within and json.loads(package_path(compilation.within).read_text())["sources"]
    found: dict[str, str] = {}
    waiting = list(compilation.roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = text = str(packed[name]["content"]) if packed else _text(name, compilation)
            waiting += [_within(each, name) for each in _IMPORT.findall(_COMMENT.sub("", text))]
    return dict(sorted(found.items()))


def _within(imported: str, importer: str) -> str:
    """Name of the source unit that an import refers to."""
    if not imported.startswith("."):
        return imported
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), imported))


def _text(name: str, compilation: Compilation) -> str:
    path = _path(name, compilation)
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


def _path(unit: str, compilation: Compilation) -> Path:
    if unit in compilation.roots:
        return CONTRACTS / unit
    for prefix, folder in sorted(compilation.remappings, key=lambda pair: -len(pair[0])):
        if unit.startswith(prefix):
            return CONTRACTS / folder / unit.removeprefix(prefix)
    return CONTRACTS / unit if (CONTRACTS / unit).exists() else package_path(unit)


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
