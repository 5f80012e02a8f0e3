"""The keeper's side of the cold scan, in a process of its own."""

import json
import sys
import time
from pathlib import Path

from keeper.cli.scan import scan_markets
from keeper.protocols.registry import load

if __name__ == "__main__":
    started = time.perf_counter()
    [(run, at)] = scan_markets(load(Path(sys.argv[1])))
    seconds = time.perf_counter() - started
    assert at.acting, at.memory.watch_only
    ordered = sorted(at.valuations, key=lambda v: v.account)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "accounts": [v.account for v in ordered],
                "health": [None if v.health is None else str(v.health) for v in ordered],
            }
        )
    )
