"""Exact valuations a second by the margin library, against the protocol's own view of the same accounts, as
many in a call as fit, at the same block."""

from __future__ import annotations

import time
from collections.abc import Callable

from keeper.chain import blocks
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.service.watching.value import value
from scripts.bench.result import Result
from scripts.bench.scan_protocols import DERIVATIVES, GENESIS, Deployed, open_accounts, reading

ACCOUNTS = 200
ROUNDS = 7


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    found = []
    for deploy in DERIVATIVES:
        with Anvil(AnvilOptions(timestamp=GENESIS, gas_limit=10**9)) as anvil:
            found.append(_measured(anvil, deploy(anvil), accounts))
    return found


def _measured(anvil: Anvil, market: Deployed, accounts: int) -> Result:
    open_accounts(anvil, market, range(accounts))
    run = reading(anvil, market)
    head = blocks.latest(run.book.pool)
    value(run, head)
    book, adapter, named = run.book, run.adapter, list(run.book.accounts)
    assert {
        each.account: each for each in adapter.valuer.value(book.state, book.accounts, head.timestamp)
    } == (book.views(head, named))
    ours = len(named) / _median(lambda: adapter.valuer.value(book.state, book.accounts, head.timestamp))
    theirs = len(named) / _median(lambda: book.views(head, named))
    name = f"valuing_{market.protocol.replace('-', '_')}"
    return {
        "name": f"{name}: exact valuations a second, of {len(named)} accounts",
        "value": ours,
        "unit": "a second",
        "baseline": theirs,
        "ratio": ours / theirs,
        "aim": "more than the protocol's own view, many in a call",
        "ok": ours > theirs,
    }


def _median(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return sorted(times)[ROUNDS // 2]
