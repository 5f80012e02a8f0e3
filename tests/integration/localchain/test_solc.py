"""The compile pipeline: cache, replaced texts, and errors a person can act on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.errors import KeeperError, UnreachableError
from keeper.localchain import packages, solc
from keeper.localchain.solc import Compilation, compiled

pytestmark = pytest.mark.integration

TOKEN = "test/ZeroFirstToken.sol"
SMALL = Compilation((TOKEN,), runs=1)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(solc, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_a_second_compilation_needs_no_compiler(monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> None:
    first = compiled(SMALL)
    assert len(list(empty_cache.iterdir())) == 1
    monkeypatch.setenv("PATH", "")
    assert compiled(SMALL) == first


def test_what_another_compiles_at_the_same_time_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    run = solc._run_compiler

    def counted(request: str, package: str) -> str:
        runs.append(package)
        return run(request, package)

    monkeypatch.setattr(solc, "_run_compiler", counted)
    with ThreadPoolExecutor(2) as both:
        one, other = both.map(compiled, [SMALL, SMALL])
    assert one == other and runs == ["solc"]


def test_settings_and_sources_are_part_of_the_key(empty_cache: Path) -> None:
    plain = compiled(SMALL)["ZeroFirstToken"]
    other = compiled(replace(SMALL, replace={TOKEN: [("balance too small", "balance too low")]}))
    assert other["ZeroFirstToken"].code != plain.code
    compiled(replace(SMALL, reproducible_metadata=True))
    assert len(list(empty_cache.iterdir())) == 3


def test_a_text_to_replace_must_be_there() -> None:
    with pytest.raises(KeeperError, match="not in this source"):
        compiled(replace(SMALL, replace={TOKEN: [("no such text", "")]}))


def test_a_compile_error_is_the_compilers_own(empty_cache: Path) -> None:
    broken = replace(SMALL, replace={TOKEN: [("uint256 allowed =", "uint256 allowed = nothing +")]})
    with pytest.raises(KeeperError, match="Undeclared identifier"):
        compiled(broken)
    assert not empty_cache.exists()


def test_missing_node_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreachableError, match="make setup"):
        compiled(SMALL)


def test_missing_package_says_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packages, "NODE_MODULES", tmp_path)
    with pytest.raises(UnreachableError, match="make setup"):
        packages.package_path("solc/package.json")
