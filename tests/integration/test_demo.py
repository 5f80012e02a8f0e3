"""The demo is the product's own proof: it passes as it is, and fails when one rounding is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.integration


def run_demo(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "keeper.cli.main", "demo", "--json", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_demo_cures_every_account_and_equals_the_contract_at_every_block() -> None:
    done = run_demo(ROOT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["ok"] and not told["faults"]
    assert told["totals"]["liquidations"] >= 10
    assert told["totals"]["top_ups"] >= 2
    assert told["blocks"] >= 20
    assert told["compared"] >= 20 * 30
    ways = " ".join(what for account in told["accounts"] for what in account["done"])
    assert "supplied" in ways and "repaid" in ways and "liquidated" in ways


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("margin/lending/aave/rules.py", "debt_value=fixed.mul_div_floor", "debt_value=fixed.mul_div_ceil"),
        (
            "margin/lending/aave/interest.py",
            "ray_mul_half_up(rate, rate) // (SECONDS_PER_YEAR * SECONDS_PER_YEAR)",
            "ray_mul_half_up(rate, rate) // (SECONDS_PER_YEAR * SECONDS_PER_YEAR) + 1",
        ),
        ("margin/lending/aave/fixed.py", "return (a * b + HALF_RAY) // RAY", "return a * b // RAY"),
    ],
    ids=["debt rounded up", "interest's second power rounded up", "ray products rounded down"],
)
def test_one_wrong_rounding_makes_the_demo_fail(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    shutil.copytree(ROOT / "keeper", tmp_path / "keeper", ignore=shutil.ignore_patterns("__pycache__"))
    for shared in ("abis", "contracts", "build"):
        (tmp_path / shared).symlink_to(ROOT / shared)
    path = tmp_path / "keeper" / file
    source = path.read_text()
    assert source.count(right) == 1
    path.write_text(source.replace(right, wrong))
    done = run_demo(tmp_path)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert not json.loads(done.stdout)["ok"]
