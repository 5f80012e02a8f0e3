"""The Solidity tests of our own contracts, run by forge with the compiler that npm installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from keeper.localchain.packages import CONTRACTS

pytestmark = pytest.mark.integration

INSTALL = "npm ci --ignore-scripts --prefix contracts  (or `make setup`)"


def forge() -> str:
    """forge of PATH (Foundry's), else the pinned one from npm."""
    packaged = sorted(CONTRACTS.glob("node_modules/@foundry-rs/forge-*/bin/forge*"))
    found = shutil.which("forge") or next(map(str, packaged), None)
    assert found, f"forge is not installed: {INSTALL}"
    return found


def test_our_contracts_keep_their_promises_in_unit_fuzz_and_invariant_tests(tmp_path: Path) -> None:
    profile = "soak" if os.environ.get("KEEPER_SOAK") else "default"
    command = [forge(), "test", "--use", str(CONTRACTS / "solc.js"), "--offline"]
    command += ["--out", str(tmp_path / "out"), "--cache-path", str(tmp_path / "cache")]
    environment = {**os.environ, "FOUNDRY_PROFILE": profile, "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1"}
    done = subprocess.run(
        command, cwd=CONTRACTS, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " 0 failed, 0 skipped" in done.stdout
    for name in (
        "invariant_nothingStaysBehind",
        "invariant_neverEndsWithLessThanItBeganWith",
        "invariant_neverCallableByOthers",
    ):
        assert name in done.stdout
