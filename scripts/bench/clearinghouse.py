"""The clearinghouse: a witness for 10,000 accounts, accounts in arrays beside one view call each, and gas."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from eth_abi.abi import decode

from keeper.chain import blocks
from keeper.localchain import clearinghouse_actions as act
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import calldata, view
from keeper.localchain.clearinghouse import (
    UNIT,
    HouseDeployment,
    HouseSpec,
    HouseTerms,
    account_count,
    deploy,
)
from keeper.localchain.rpc import Json, as_str
from keeper.localchain.transactions import Tx, send_batch
from keeper.margin.options import black76
from keeper.margin.portfolio.clearinghouse.correlated import joint_rows, wider_rows
from keeper.margin.portfolio.clearinghouse.markets import (
    CollateralQuote,
    MarketSnapshot,
    Spot,
    Surface,
    line_of,
)
from keeper.margin.portfolio.clearinghouse.screening import CashTerms, ExactMarket, arrays, screened
from keeper.margin.portfolio.clearinghouse.table import ScenarioTable
from keeper.margin.portfolio.clearinghouse.values import (
    ClearingLeg,
    ClearingState,
    Instrument,
    Kind,
    ScenarioSet,
)
from keeper.model.money import WAD
from keeper.protocols.clearinghouse.market import ClearinghouseMarket
from scripts.bench.result import Result
from tests.support.keeping import reading, valued

GENESIS = 1_750_000_000
ACCOUNTS, LEGS, SCENARIOS = 10_000, 10, 33
VIEWED = 1_000
ROUNDS = 5
LIMIT = 2**24
_STATE = "(int256,uint256,uint256,uint256[],(uint32,int64,int128)[])"
_LINE = "(uint8,uint8,int64,uint64,int256,uint256,uint256,uint256,uint256)"
_PORTFOLIO = f"(int256,uint256,{_LINE}[],(uint8,uint256)[])"
_SET = "(uint256,uint256,bytes,uint256[])"


def measure() -> list[Result]:
    return [*_witness(), *_on_chain()]


def _witness() -> list[Result]:
    """Accounts of ten legs each, in 240 options of four underlyings, in 33 scenarios: bounds, and exact
    integers where those leave open on which side of zero an account is."""
    market, states = _book()
    numbers = market.table.numbers

    def search() -> tuple[int, int]:
        fresh = ExactMarket(
            market.at,
            market.cash,
            ScenarioTable(market.table.lines, market.table.scenarios),
            market.instruments,
            market.going,
        )
        found = screened(copied, fresh)
        least = found.values.min(axis=1)
        near = np.flatnonzero(np.abs(least) <= found.error)
        exact = [fresh.value(states[int(row)], found.candidates(int(row))) for row in near]
        return int(np.count_nonzero(least < -found.error)), len(exact)

    copied = arrays(states, market.instruments, numbers, len(market.at.quotes))
    ours = _best(search)
    below, exact = search()
    random = np.random.default_rng(1)
    rows = (ACCOUNTS, LEGS, 1)
    forward = random.uniform(50, 150, rows) * np.ones((1, 1, SCENARIOS))
    volatility, strike = random.uniform(0.3, 1.2, rows), random.uniform(50, 150, rows)
    call = random.random(rows) < 0.5
    plain = _best(lambda: black76.price(forward, strike, 0.1, volatility, call))
    name = f"a witness for {ACCOUNTS:,} accounts × {LEGS} legs × {SCENARIOS} scenarios, bounds included"
    whole: Result = {
        "name": f"{name} ({below:,} below, {exact} in exact integers)",
        "value": ours,
        "unit": "s",
        "baseline": plain,
        "ratio": ours / plain,
        "aim": "under 0.25 s, and within 3 × of plain Black-76 of that size",
        "ok": ours < 0.25 and ours <= 3 * plain,
    }
    return [whole]


def _book() -> tuple[ExactMarket, list[ClearingState]]:
    random = np.random.default_rng(7)
    under = 4
    spots = tuple(
        Spot(int(p * UNIT), int(p * UNIT), 12345, WAD // 1_000, WAD // 100) for p in (2_000, 30_000, 150, 5)
    )
    expiries = [GENESIS + days * 86_400 for days in (1, 7, 14, 30, 60, 90)]
    surfaces = tuple(
        Surface(u, at, 8 * WAD // 10, -WAD // 10, at - GENESIS, 0, WAD)
        for u in range(under)
        for at in expiries
    )
    at = MarketSnapshot(spots, surfaces, (CollateralQuote(2_000 * WAD, 10**24, WAD // 10, 0),))
    instruments = {u: Instrument(Kind.PERPETUAL, u) for u in range(under)}
    for u in range(under):
        for expiry in expiries:
            for share in (80, 90, 100, 110, 120):
                for kind in (Kind.CALL, Kind.PUT):
                    strike = spots[u].index * share // 100
                    instruments[8 + len(instruments) - under] = Instrument(kind, u, expiry, strike)
    numbers = list(instruments)
    same = [
        [1.0 if i == j or {i, j} == {0, under} else 0.5 for j in range(under + 1)] for i in range(under + 1)
    ]
    rows = [*joint_rows(same, under, (-1.0, 1.0)), *wider_rows(same, under)][:SCENARIOS]
    widths = (16 * WAD // 100, 45 * WAD // 100, 25 * WAD // 100, WAD // 100) * under + (16 * WAD // 100,)
    scenarios = ScenarioSet(under, 1, tuple(rows), widths)
    lines = {number: line_of(at, terms, 0)[0] for number, terms in instruments.items()}
    table = ScenarioTable(lines, scenarios)
    market = ExactMarket(at, CashTerms(0, 0), table, instruments, frozenset(numbers))
    states = []
    for _ in range(ACCOUNTS):
        chosen = random.choice(numbers, LEGS, replace=False)
        legs = tuple(
            ClearingLeg(int(number), int(random.integers(-(10**10), 10**10)) or 1, 0) for number in chosen
        )
        cash = int(random.integers(0, 200_000)) * WAD
        states.append(ClearingState(cash, 0, 0, (int(random.integers(0, 10**18)) * 100,), legs))
    return market, states


def _on_chain() -> list[Result]:
    with Anvil(AnvilOptions(timestamp=GENESIS, gas_limit=10**9)) as anvil:
        system = deploy(anvil.rpc, HouseSpec(terms=HouseTerms(cash_cap=10**7 * WAD)))
        _open(anvil, system, VIEWED)
        folder = Path("build/bench_clearinghouse")
        folder.mkdir(parents=True, exist_ok=True)
        toml = f'protocol = "clearinghouse"\naddress = "{system.house}"\nunknown_oracles = "act"'
        run = reading(anvil, toml, folder)
        valued(run)
        head, book = blocks.latest(run.book.pool), run.book
        accounts = list(book.accounts)
        values = run.adapter.valuer.value(book.state, book.accounts, head.timestamp)
        assert {each.account: each for each in values} == book.views(head, accounts)

        def ours() -> None:
            # Nothing is kept from the round before.
            fresh = ClearinghouseMarket("fresh", system.house, 0)
            fresh.value(book.state, book.accounts, head.timestamp)

        def theirs() -> None:
            for account in accounts[:50]:
                book.views(head, [account])

        mine, view = _best(ours), _best(theirs) / 50 * len(accounts)
        found: list[Result] = [
            {
                "name": f"clearinghouse: {len(accounts):,} accounts exactly, against one view call each",
                "value": mine,
                "unit": "s",
                "baseline": view,
                "ratio": view / mine,
                "aim": "at least 100 × faster",
                "ok": view / mine >= 100,
            }
        ]
        return [*found, *_gas(anvil, system)]


def _open(anvil: Anvil, system: HouseDeployment, count: int) -> None:
    key, maker = 0x7A, 0x3A
    chain = int(as_str(anvil.rpc.call("eth_chainId")), 16)
    _fund(anvil, system, maker, 10**8)
    txs: list[Tx] = []
    who, nonce = act.address_of(key), 0
    for number in range(1, count):
        txs += [act.open_account(system, who), *act.deposit_cash(system, who, number, 40_000)]
        for place in range(3):
            nonce += 1
            instrument = sorted(system.instruments.values())[
                (number * 3 + place * 5) % len(system.instruments)
            ]
            size = (1 if (number + place) % 2 else -1) * UNIT // 10
            pair = ((key, number), (maker, 0))
            buyer, seller = pair if size > 0 else pair[::-1]
            price = 300 * UNIT if instrument > 7 else (2_000 if instrument == 0 else 30_000) * UNIT
            txs.append(act.trade(system, chain, buyer, seller, instrument, abs(size), price, nonce))
        if len(txs) > 400:
            send_batch(anvil.rpc, txs, system.errors)
            txs = []
    send_batch(anvil.rpc, txs, system.errors)


def _fund(anvil: Anvil, system: HouseDeployment, key: int, dollars: int) -> int:
    who, number = act.address_of(key), account_count(anvil.rpc, system)
    txs = [act.open_account(system, who), *act.deposit_cash(system, who, number, dollars)]
    send_batch(anvil.rpc, txs, system.errors)
    return number


def _gas(anvil: Anvil, system: HouseDeployment) -> list[Result]:
    """The margin check alone: one scenario against all of them, for an account of ten legs."""
    chain = int(as_str(anvil.rpc.call("eth_chainId")), 16)
    number = _fund(anvil, system, 0x7A, 1_000_000)
    names = [name for name in system.instruments if "-" in name][:10]
    for place, name in enumerate(names):
        pair = ((0x3A, 0), (0x7A, number))
        txs = [act.trade(system, chain, *pair, system.instruments[name], UNIT, 300 * UNIT, 10**6 + place)]
        send_batch(anvil.rpc, txs, system.errors)

    def used(target: str, data: str) -> int:
        gas = int(as_str(anvil.rpc.call("eth_estimateGas", _call(target, data))), 16)
        # What any transaction costs, and this one's data.
        return gas - 21_000 - sum(16 if byte else 4 for byte in bytes.fromhex(data[2:]))

    def answer(target: str, signature: str, *arguments: object) -> bytes:
        call = _call(target, calldata(signature, *arguments))
        return bytes.fromhex(as_str(anvil.rpc.call("eth_call", call, "latest"))[2:])

    [state] = decode([_STATE], answer(system.house, "stateNow(uint256)", number))
    [portfolio] = decode([_PORTFOLIO], answer(system.margin, f"portfolio({_STATE})", state))
    [one] = decode([_SET], answer(system.scenarios, "one(bool,uint256)", False, 4))
    [every] = decode([_SET], answer(system.scenarios, "set(bool)", True))
    valuation = "0x" + answer(system.margin, "valuation()")[12:].hex()
    alone = used(valuation, calldata(f"valueIn({_PORTFOLIO},{_SET},uint256)", portfolio, one, 0))
    all_of_them = used(valuation, calldata(f"worst({_PORTFOLIO},{_SET})", portfolio, every))
    witness = used(system.house, calldata("valueIn(uint256,uint256)", number, 4))
    full = used(system.house, calldata("worst(uint256,bool)", number, True))
    nonce = 10**7
    tx = act.trade(system, chain, (0x7A, number), (0x3A, 0), 0, UNIT, 2_000 * UNIT, nonce)
    [receipt] = send_batch(anvil.rpc, [tx], system.errors)
    traded = int(as_str(receipt["gasUsed"]), 16)
    books = json.loads((Path("abis/clearinghouse") / "Clearinghouse.json").read_text())
    scenarios = len(every[2]) // (2 * (3 * every[0] + every[1]))
    rows: list[Result] = [
        {
            "name": f"clearinghouse: gas of the check alone, 10 options, 1 scenario against {scenarios}",
            "value": alone,
            "unit": "gas",
            "baseline": all_of_them,
            "ratio": all_of_them / alone,
            "aim": "at least 10 × less",
            "ok": all_of_them / alone >= 10,
        },
        {
            "name": "clearinghouse: gas of the same with all that is read for it",
            "value": witness,
            "unit": "gas",
            "baseline": full,
            "ratio": full / witness,
            "aim": "a figure",
            "ok": True,
        },
        {
            "name": "clearinghouse: gas of a trade of two accounts, of which one has 11 legs",
            "value": traded,
            "unit": "gas",
            "baseline": LIMIT,
            "ratio": LIMIT / traded,
            "aim": "within a transaction's 2^24",
            "ok": traded < LIMIT,
        },
        *_liquidation(anvil, system, number),
        {
            "name": "clearinghouse: size of the largest contract",
            "value": (len(books["deployedBytecode"]) - 2) // 2,
            "unit": "bytes",
            "baseline": 24_576,
            "ratio": None,
            "aim": "under EIP-170's limit",
            "ok": (len(books["deployedBytecode"]) - 2) // 2 <= 24_576,
        },
    ]
    return rows


def _call(target: str, data: str) -> dict[str, Json]:
    return {"to": target, "data": data}


def _liquidation(anvil: Anvil, system: HouseDeployment, number: int) -> list[Result]:
    """A hundredth of that account taken over by the maker, after ether has fallen by half."""
    who = act.address_of(0x7A)
    cash = view(anvil.rpc, system.house, "cashOf(uint256)", (number,), "int256")[0]
    assert isinstance(cash, int)
    send_batch(
        anvil.rpc,
        [
            act.withdraw_cash(system, who, number, cash // 10**12 - 40_000 * 10**6),
            act.set_price(system, "ETH", 200),
            act.set_price(system, "BTC", 3_000),
        ],
        system.errors,
    )
    words = ("int256", "int256", "uint256")
    worst = view(anvil.rpc, system.house, "worst(uint256,bool)", (number, False), *words)
    maker = act.address_of(0x3A)
    tx = act.liquidate(system, maker, number, int(str(worst[2])), WAD // 100, 0)
    [receipt] = send_batch(anvil.rpc, [tx], system.errors)
    used = int(as_str(receipt["gasUsed"]), 16)
    return [
        {
            "name": "clearinghouse: gas of a liquidation of 11 legs; so many fit one transaction's 2^24",
            "value": used,
            "unit": "gas",
            "baseline": LIMIT,
            "ratio": LIMIT // used,
            "aim": "a figure",
            "ok": True,
        }
    ]


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = perf_counter()
        work()
        times.append(perf_counter() - started)
    return min(times)
