"""The committed artifacts of our contracts are what their sources compile to."""

from __future__ import annotations

import json

import pytest

from keeper.localchain.packages import CONTRACTS as FOLDER
from scripts.compile_contracts import (
    ABIS,
    CLEARINGHOUSE,
    CONTRACTS,
    INTERFACES,
    ROUTED,
    artifact_path,
    artifact_text,
)

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", [*CONTRACTS, *CLEARINGHOUSE, *INTERFACES, *ROUTED])
def test_committed_artifact_is_what_the_source_compiles_to(name: str) -> None:
    assert artifact_path(name).read_text() == artifact_text(name), "run `make abis` and commit the result"


@pytest.mark.parametrize("name", [*CONTRACTS, *CLEARINGHOUSE])
def test_code_fits_a_contract_and_carries_no_metadata(name: str) -> None:
    artifact = json.loads(artifact_path(name).read_text())
    code = bytes.fromhex(artifact["deployedBytecode"][2:])
    assert 0 < len(code) <= 24_576
    assert b"ipfs" not in code
    assert b"solc" not in code


def test_every_source_with_a_contract_is_listed() -> None:
    sources = {path.stem for path in (FOLDER / "src").glob("*.sol") if not path.stem.startswith("I")}
    assert sources == set(CONTRACTS)
    assert all((ABIS / f"{name}.json").exists() for name in [*CONTRACTS, *CLEARINGHOUSE])
    folder = (FOLDER / "src" / "clearinghouse").glob("*.sol")
    made = {f"clearinghouse/{path.stem}" for path in folder if f"\ncontract {path.stem} " in path.read_text()}
    assert made == set(CLEARINGHOUSE)
