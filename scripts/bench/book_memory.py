"""What a process with a million accounts takes, and whether it grows over many blocks of changes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from keeper.book.rows import Rows
from keeper.book.screening.near_threshold import NearThreshold
from keeper.margin.lending.aave import bounds
from scripts.bench.result import Result

ACCOUNTS = 1_000_000
BLOCKS = 10_000 if os.environ.get("KEEPER_SOAK") else 400
TOUCHED = 20
LIMIT = 1 << 30
# Growth that the allocator's own arenas explain.
FLAT = 32 << 20


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    """In a process of its own, so that nothing else is counted."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench.book_memory", str(accounts), str(BLOCKS)],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, int] = json.loads(done.stdout)
    growth = found["end"] - found["warm"]
    return [
        {
            "name": f"memory with {accounts:,} accounts (most while it was made: {found['peak'] >> 20} MiB)",
            "value": found["end"] / 2**20,
            "unit": "MiB",
            "baseline": None,
            "ratio": None,
            "aim": "under 1 GiB",
            "ok": found["end"] < LIMIT,
        },
        {
            "name": f"its growth over {BLOCKS:,} blocks of {TOUCHED} changes each",
            "value": growth / 2**20,
            "unit": "MiB",
            "baseline": None,
            "ratio": None,
            "aim": "flat (at most 32 MiB)",
            "ok": growth <= FLAT,
        },
    ]


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _work(accounts: int, count: int) -> dict[str, int]:
    """A book's rows, columns and index as `keeper run` has them, without a chain."""
    from keeper.book.screening.columns import Columns
    from keeper.protocols.aave_v3 import records
    from scripts.bench import synthetic

    pool, rows = synthetic.state(10), Rows()
    step = 1 << 16
    for first in range(0, accounts, step):
        for number, record in enumerate(
            synthetic.records(pool, min(step, accounts - first), seed=first), first
        ):
            rows.put(f"0x{number + (0xC0DE << 140):040x}", record)
    columns = Columns(records.entries)
    columns.update(range(len(rows)), rows.records)
    standing = NearThreshold(columns)
    factors = sorted(columns.factors)
    groups = np.zeros(bounds.FACTORS, np.int32)
    groups[factors] = np.array(factors) % bounds.RESERVES
    dice = np.random.default_rng(3)
    fresh = synthetic.records(pool, 10_000, seed=99)
    moves = np.ones(12)
    warm = 0
    for number in range(count):
        changed = dice.integers(0, len(rows), TOUCHED).tolist()
        for row in changed:
            rows.put(rows.account(row), fresh[int(dice.integers(len(fresh)))])
        columns.update(changed, rows.records)
        moves *= 1 + dice.normal(0, 1e-4, 12)
        market = synthetic.moved(pool, dict(enumerate(moves.tolist())))
        weights = synthetic.weights(market, synthetic.NOW + 12 * number, factors)
        standing.near(weights, changed, (1.0, 1.05, 1.1), groups)
        if number == count // 4:
            warm = _resident()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"warm": warm, "end": _resident(), "peak": peak}


if __name__ == "__main__":
    print(json.dumps(_work(int(sys.argv[1]), int(sys.argv[2]))))
