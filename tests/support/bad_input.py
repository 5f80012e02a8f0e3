"""A keeper that would act at once, and what can be wrong around it: the cases of `test_bad_input`."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from keeper.cli.main import main
from keeper.localchain import aave_actions as act
from keeper.localchain.transactions import Tx, send_batch
from tests.conftest import LocalMarket
from tests.support.keeping import PASSWORD, write_keystore
from tests.support.rpc_proxy import RpcProxy
from tests.support.world import account, config_text, open_market

OWNER = account(1)
RUN = ("run", "--live", "--for-blocks", "1")
PATIENCE = 60.0


@dataclass
class Bench:
    """The right configuration, before a case spoils it. What `open` holds ends with the test."""

    at: LocalMarket
    proxy: RpcProxy
    folder: Path
    payer: str
    open: ExitStack
    environment: dict[str, str] = field(default_factory=dict)
    space: int | None = None
    """Bytes up to which a file of the command may grow; then writing fails as on a full disk."""

    @property
    def config(self) -> Path:
        return self.folder / "keeper.toml"

    @property
    def keystore(self) -> Path:
        return self.folder / "keystore.json"

    @property
    def database(self) -> Path:
        return self.folder / "keeper.db"

    def replace(self, old: str, new: str) -> None:
        """Change the configuration's text; `old` must be there."""
        text = self.config.read_text()
        assert old in text, old
        self.config.write_text(text.replace(old, new))

    def nonce(self) -> int:
        return self.at.rpc.integer("eth_getTransactionCount", self.payer, "pending")

    def files(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in self.folder.iterdir() if p.is_file()}


@dataclass(frozen=True)
class Case:
    """What is wrong, the command, how it ends and what it says. `until`: a command that goes on is
    interrupted once it has said all of `says`; `during` spoils it once it has worked at a block."""

    name: str
    spoil: Callable[[Bench], None]
    code: int
    says: tuple[str, ...]
    command: tuple[str, ...] = RUN
    until: bool = False
    during: Callable[[Bench], None] | None = None


def furnish(at: LocalMarket, proxy: RpcProxy, folder: Path, stack: ExitStack) -> Bench:
    """A funded keeper whose protected account needs a top-up now."""
    anvil, market = at.anvil, at.market
    open_market(anvil, market)
    key = write_keystore(folder)
    weth, usdc = market.reserves["WETH"], market.reserves["USDC"]
    txs: list[Tx] = [
        *act.mint_and_supply(market, weth, OWNER, 10**19),
        act.borrow(market, usdc, OWNER, 20_000 * 10**6),
        act.mint(market, weth, key.address, 10**20),
    ]
    send_batch(anvil.rpc, txs, market.errors)
    anvil.set_automine(False)
    anvil.set_balance(key.address, 10**19)
    more = f"""
[policy]
warn = 1.10
top_up = 1.05
liquidate = 1.0
[[protect]]
market = "aave"
account = "{OWNER}"
target = 1.25
max_spend_per_owner_day = "100000"
steps = [{{ action = "supply", asset = "WETH" }}]
"""
    config = folder / "keeper.toml"
    config.write_text(config_text(anvil, market, more).replace(anvil.url, proxy.url))
    return Bench(at, proxy, folder, key.address, stack, {"KEEPER_KEYSTORE_PASSWORD": PASSWORD})


def run(bench: Bench, case: Case) -> tuple[int, str]:
    """Exit code and everything said; a command that is to go on is interrupted in the end."""
    log = bench.folder.parent / f"{bench.folder.name}.log"
    log.touch()
    arguments = list(case.command)
    if "--config" not in arguments:
        arguments += ["--config", str(bench.config)]
    process = _FORKS.Process(target=_keeper, args=(arguments, bench.environment, log, bench.space))
    process.start()
    try:
        if case.during is not None:
            _wait(process, log, ("number=",))
            case.during(bench)
        if case.until:
            _wait(process, log, case.says)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGINT)
        process.join(PATIENCE)
    finally:
        if process.is_alive():
            process.kill()
            process.join()
    assert process.exitcode is not None
    return process.exitcode, log.read_text(errors="replace")


# The command line's imports are made once; each command is a process forked from there.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [f"keeper.cli.{name}" for name in ("main", "run", "scan", "fork", "init", "history", "explain")]
)


def _keeper(arguments: list[str], environment: dict[str, str], log: Path, space: int | None) -> None:
    """`keeper` with these arguments, all it says in `log`, nothing to read from."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out, nothing = os.open(log, os.O_WRONLY | os.O_APPEND), os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(descriptor, target)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  (the process's own, for as long as it lives)
    for name in [name for name in os.environ if name.startswith("KEEPER_")]:
        del os.environ[name]
    os.environ.update(environment)
    if space is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (space, space))
    sys.argv = ["keeper", *arguments]
    main()


def _wait(process: BaseProcess, log: Path, says: tuple[str, ...]) -> None:
    limit = time.monotonic() + PATIENCE
    while not all(each in log.read_text(errors="replace") for each in says):
        assert process.is_alive() and time.monotonic() < limit, log.read_text(errors="replace")[-3000:]
        time.sleep(0.05)


def lock(bench: Bench) -> None:
    """Another process holds the store's write lock until the test ends."""
    ours, theirs = _FORKS.Pipe()
    process = _FORKS.Process(target=_locking, args=(bench.database, theirs))
    process.start()
    bench.open.callback(process.join)
    bench.open.callback(process.kill)
    assert ours.recv() == "locked"


def _locking(database: Path, told: Connection) -> None:
    other = sqlite3.connect(database)
    other.execute("PRAGMA journal_mode=DELETE")
    other.execute("BEGIN EXCLUSIVE")
    told.send("locked")
    time.sleep(2 * PATIENCE)
