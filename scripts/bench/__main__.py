"""Runs the benchmarks and prints each measure beside its baseline; build/bench.jsonl gets a line each."""

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

import scripts.bench
from scripts.bench.result import Result

OUTPUT = Path("build/bench.jsonl")
# The measures of the book at scale, by one name.
BOOK = ("revaluing", "price_index", "warm_tick", "book_memory", "restart")


def modules() -> list[str]:
    names = (m.name for m in pkgutil.iter_modules(scripts.bench.__path__))
    return [name for name in names if hasattr(importlib.import_module(f"scripts.bench.{name}"), "measure")]


def results(wanted: list[str], accounts: int | None) -> Iterator[Result]:
    for name in wanted:
        measure = importlib.import_module(f"scripts.bench.{name}").measure
        sized = accounts is not None and "accounts" in inspect.signature(measure).parameters
        yield from measure(accounts=accounts) if sized else measure()


def main() -> int:
    known = modules()
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=["book", *known], help="one benchmark module, or those of the book")
    parser.add_argument("--accounts", type=int, help="size of the books, where a benchmark has one")
    options = parser.parse_args()
    chosen = known if options.only is None else list(BOOK) if options.only == "book" else [options.only]
    table = Table("measure", "value", "baseline", "ratio", "aim", "", title="benchmarks")
    OUTPUT.parent.mkdir(exist_ok=True)
    with OUTPUT.open("w") as out:
        for each in results(chosen, options.accounts):
            out.write(json.dumps(each) + "\n")
            out.flush()
            table.add_row(
                each["name"],
                f"{each['value']:,.4g} {each['unit']}",
                "" if each["baseline"] is None else f"{each['baseline']:,.4g} {each['unit']}",
                "" if each["ratio"] is None else f"{each['ratio']:,.3g}",
                each["aim"],
                "ok" if each["ok"] else "SHORT",
            )
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
