"""How long a keeper that starts again takes until it can value the accounts its store knows."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.bench.result import Result

ACCOUNTS = 1_000_000
LIMIT = 10.0
MARKET = "m"


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    """The store is SQLite. Writing and starting are each in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        written = _process("write", folder, accounts)
        found = _process("start", folder, accounts)
        size = (Path(folder) / "keeper.db").stat().st_size >> 20
    whole = found["store"] + found["columns"] + found["valued"]
    return [
        {
            "name": f"restart with {accounts:,} accounts in the store ({size} MiB, peak "
            f"{found['peak']:.0f} MiB): read {found['store']:.1f}, columns {found['columns']:.1f}, "
            f"index and first pass {found['valued']:.1f} s",
            "value": whole,
            "unit": "s",
            "baseline": written["save"],
            "ratio": whole / written["save"],
            "aim": "seconds, at most 10 (baseline: writing them down)",
            "ok": whole <= LIMIT,
        }
    ]


def _process(step: str, folder: str, accounts: int) -> dict[str, float]:
    command = [sys.executable, "-m", "scripts.bench.restart", step, folder, str(accounts)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _write(folder: str, accounts: int) -> dict[str, float]:
    from keeper.store.accounts import Saved, SavedBlock, save
    from keeper.store.database import open_store
    from scripts.bench import synthetic

    made = synthetic.records(synthetic.state(10), accounts)
    # Addresses as the chain has them are in no order; these are not either.
    records = {f"0x{(number * 0x9E3779B97F4A7C15) % 2**64 << 96:040x}": r for number, r in enumerate(made)}
    store = open_store(f"sqlite:///{folder}/keeper.db")
    block = SavedBlock(1, "0x01", frozenset())
    started = time.perf_counter()
    save(store, MARKET, Saved(1, "0x01", (), records, (block,)))
    took = time.perf_counter() - started
    store.close()
    return {"save": took}


def _start(folder: str, accounts: int) -> dict[str, float]:
    import numpy as np

    from keeper.book.book import Book
    from keeper.book.screening.near_threshold import NearThreshold
    from keeper.chain.pool import NodePool
    from keeper.config import Chain
    from keeper.margin.lending.aave import bounds
    from keeper.protocols.aave_v3.market import AaveV3Market
    from keeper.store.database import open_store
    from scripts.bench import synthetic

    pool = synthetic.state(10)
    # No node is asked: what a restart asks of one is as little as a block asks.
    nodes = NodePool("none", Chain(chain_id=1, rpc=["http://127.0.0.1:9"]))
    started = time.perf_counter()
    store = open_store(f"sqlite:///{folder}/keeper.db")
    book = Book(AaveV3Market(MARKET, "0x" + "00" * 20, 0), nodes, store, 1)
    if book.restore() is None or len(book.rows) != accounts:
        raise SystemExit("restart: the store does not hold what was written")
    read = time.perf_counter()
    columns = book.columns
    laid_out = time.perf_counter()
    factors = sorted(columns.factors)
    groups = np.zeros(bounds.FACTORS, np.int32)
    groups[factors] = np.array(factors) % bounds.RESERVES
    NearThreshold(columns).near(synthetic.weights(pool, synthetic.NOW, factors), (), (1.0, 1.05, 1.1), groups)
    valued = time.perf_counter()
    store.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "store": read - started,
        "columns": laid_out - read,
        "valued": valued - laid_out,
        "peak": peak,
    }


if __name__ == "__main__":
    step = {"write": _write, "start": _start}[sys.argv[1]]
    print(json.dumps(step(sys.argv[2], int(sys.argv[3]))))
