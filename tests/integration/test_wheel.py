"""What is installed from the wheel works outside the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import keeper
from keeper.cli.main import app
from keeper.config import known_chain
from keeper.contracts import ABIS, artifact, runtime_code
from keeper.store.database import MIGRATIONS

assert runtime_code("Batch").startswith("0x") and artifact("Liquidator")["abi"]
assert known_chain(42161).name == "arbitrum"
assert (MIGRATIONS / "env.py").exists() and any((MIGRATIONS / "versions").glob("*.py"))
print(keeper.__file__, ABIS)
"""


def test_the_wheel_brings_all_that_the_program_reads(tmp_path: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path / "out"), str(ROOT)),
        ],
        check=True,
        cwd=tmp_path,
    )
    [wheel] = (tmp_path / "out").glob("keeper-*.whl")
    place = tmp_path / "installed"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-index", "--ignore-installed", "--prefix", str(place), str(wheel)),
        ],
        check=True,
        cwd=tmp_path,
    )
    [packages] = place.glob("lib/python*/site-packages")
    libraries = sysconfig.get_path("purelib")
    # No `.pth` file is read of a path given so: neither is the checkout that is installed for development.
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(packages), libraries])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout.replace(str(tmp_path), ""), done.stdout
