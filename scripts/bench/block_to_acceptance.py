"""From a block's arrival to our transaction's acceptance by the node, 1,000 accounts watched, against a fixed
floor: one block, one log request, one lens call, one rehearsal and one send by plain JSON-RPC.

Each round one account of a thousand falls below 1 at a new price. The clock starts when the block can be had
and stops when the node has answered the last send of its liquidation (allowance and action). The floor is
measured beside it, at the same chain with the same requests that the keeper made, one of each kind, on one
open connection and with nothing computed in between. The keeper's own lens call reads only who was touched
and a sample; how the same time compares with a floor whose lens call reads all accounts is told in rows of
its own.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from statistics import quantiles
from typing import Any

import structlog
from eth_account import Account

from keeper.chain import calls
from keeper.chain.node import Node
from keeper.chain.signer import Signer
from keeper.config import Settings
from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.aave_v36 import deploy
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.transactions import Tx, queue, send_batch
from keeper.protocols.registry import load
from keeper.service.daemon import Daemon
from keeper.store.database import open_store
from scripts.bench.result import Result

ACCOUNTS = 1_000
ROUNDS = 40
GENESIS = 1_750_000_000
KEY = "0x" + "5e" * 32
FIRST_PRICE = 2400 * 10**8
# Each round's price makes one more account liquidatable: debts of the falling ones are steps apart.
STEP = 10**8
FLOOR = ("eth_getBlockByNumber", "eth_getLogs", "eth_call", "eth_simulateV1", "eth_sendRawTransaction")


def measure() -> list[Result]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil, tempfile.TemporaryDirectory() as folder:
        ours, floors, whole = _run(anvil, deploy(anvil.rpc, *demo_market()), Path(folder))
    return [*_rows("", ours, floors, aim=True), *_rows(", floor reads all accounts", ours, whole, aim=False)]


def _rows(what: str, ours: list[float], floors: list[float], *, aim: bool) -> list[Result]:
    rows: list[Result] = []
    for name, place in (("p50", 49), ("p99", 98)):
        value, floor = (quantiles(each, n=100)[place] for each in (ours, floors))
        aimed = aim and name == "p50"
        rows.append(
            {
                "name": f"block to acceptance, {ACCOUNTS} accounts, {name} of {len(ours)}{what}",
                "value": value * 1000,
                "unit": "ms",
                "baseline": floor * 1000,
                "ratio": value / floor,
                "aim": "under 3 floors" if aimed else "",
                "ok": not aimed or value / floor < 3,
            }
        )
    return rows


def _run(anvil: Anvil, market: AaveDeployment, folder: Path) -> tuple[list[float], list[float], list[float]]:
    key = Account.from_key(KEY)
    send_batch(anvil.rpc, [*_liquidity(market, key.address), *_accounts(market)], market.errors)
    anvil.set_balance(key.address, 10**21)
    anvil.set_automine(False)
    anvil.set_timestamp_interval(12)
    settings = _settings(anvil, market, folder)
    store = open_store(settings.store.url)
    daemon = Daemon(settings, store, key.address, Signer(key))
    daemon._decide("local")
    seen = _Seen()
    ours, floors, whole = [], [], []
    for number in range(1, ROUNDS + 1):
        queue(anvil, act.set_price(market, market.reserves["WETH"], FIRST_PRICE - number * STEP))
        anvil.mine()
        with seen:
            started = time.perf_counter()
            daemon._decide("local")
        if seen.accepted:
            ours.append(seen.accepted[-1] - started)
            floors.append(_floor(anvil, seen.requests))
            whole.append(_floor(anvil, {**seen.requests, "eth_call": _all_accounts(daemon)}))
        for _ in range(2):
            anvil.mine()
            daemon._decide("local")
    store.close()
    if len(ours) < ROUNDS * 3 // 4:
        raise SystemExit(f"only {len(ours)} of {ROUNDS} rounds sent anything: the measure means nothing")
    return ours, floors, whole


def _all_accounts(daemon: Daemon) -> list[Any]:
    """The parameters of one lens call that reads the market and every account."""
    deciding = daemon.chains["local"].deciding
    book, head = deciding.markets[0].book, deciding.head
    assert head is not None
    wanted = [
        book.source.mirror.market_call(book.references),
        book.source.mirror.accounts_call(list(book.accounts)),
    ]
    read, overrides = calls.behind(wanted, book.source.mirror.lenses(), book.pool.code)
    return [{**read, "gas": hex(calls.GAS)}, {"blockHash": head.hash}, overrides]


class _Seen:
    """What the keeper's nodes were asked while this was entered, and when sends were answered."""

    def __enter__(self) -> None:
        self.requests: dict[str, list[Any]] = {}
        self.accepted: list[float] = []
        self._real = Node.call
        real: Callable[[Node, str, list[Any]], Any] = Node.call
        seen = self

        def call(node: Node, method: str, params: list[Any]) -> Any:
            answer = real(node, method, params)
            if method == "eth_sendRawTransaction":
                seen.accepted.append(time.perf_counter())
            if method in FLOOR and len(json.dumps(params)) > len(json.dumps(seen.requests.get(method, []))):
                seen.requests[method] = params
            return answer

        setattr(Node, "call", call)  # noqa: B010  (checked types do not allow the assignment)

    def __exit__(self, *_: object) -> None:
        setattr(Node, "call", self._real)  # noqa: B010


def _floor(anvil: Anvil, requests: dict[str, list[Any]]) -> float:
    """Seconds for one request of each kind, the largest that the keeper made, one after another."""
    connection = HTTPConnection(anvil.rpc.host, anvil.rpc.port)
    connection.connect()
    with suppress(KeyError):
        bodies = [
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": requests[method]})
            for method in FLOOR
        ]
    started = time.perf_counter()
    for body in bodies:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
    spent = time.perf_counter() - started
    connection.close()
    return spent


def _settings(anvil: Anvil, market: AaveDeployment, folder: Path) -> Settings:
    config = folder / "keeper.toml"
    config.write_text(
        f'[chains.local]\nchain_id = 31337\nrpc = ["{anvil.url}"]\nblock_time = 12\n'
        f'[markets.aave]\nprotocol = "aave-v3"\nchain = "local"\naddress = "{market.pool}"\n'
        f"[policy]\nmin_profit = -1000\n"
    )
    return load(config)


def _liquidity(market: AaveDeployment, payer: str) -> list[Tx]:
    txs: list[Tx] = []
    for reserve in market.reserves.values():
        txs += act.mint_and_supply(market, reserve, "0x" + "11" * 20, 10**9 * 10**reserve.decimals)
    txs.append(act.mint(market, market.reserves["USDC"], payer, 10**15))
    return txs


def _accounts(market: AaveDeployment) -> list[Tx]:
    """Most far from any trouble; one falls with each round's price."""
    weth, usdc = market.reserves["WETH"], market.reserves["USDC"]
    threshold = 8300
    txs: list[Tx] = []
    for number in range(ACCOUNTS):
        account = f"0x{0xBE << 152 | number:040x}"
        txs += act.mint_and_supply(market, weth, account, 10**18)
        price = FIRST_PRICE - number * STEP - STEP // 2 if number < ROUNDS else FIRST_PRICE // 2
        txs.append(act.borrow(market, usdc, account, price * threshold // 10**4 // 100))
    return txs
