"""A cold scan and a warm tick of 1,000 accounts of each protocol, against one view call each through web3.py.

Both run in this process against the same Anvil at the same block: the keeper with an empty book, from
discovery in the event logs to exact numbers of all; the other asks the protocol of each account. And the
requests a block that 100 and 1,000 accounts take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from web3 import Web3
from web3.types import TxParams

from keeper.chain import blocks
from keeper.chain.calldata import ZERO_ADDRESS
from keeper.config import Settings
from keeper.localchain import aave_actions as act
from keeper.localchain import aave_v36, troves
from keeper.localchain import comet_standin as comet
from keeper.localchain import lyra_avalon_actions as avalon_act
from keeper.localchain import morpho_blue as morpho
from keeper.localchain import perp_v2_actions as curie_act
from keeper.localchain import perp_v2_market as curie
from keeper.localchain import synthetix_v3_actions as perp_act
from keeper.localchain import synthetix_v3_market as synthetix
from keeper.localchain.aave_market import demo_market
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.lyra_avalon import deploy as deploy_avalon
from keeper.localchain.lyra_avalon_market import AvalonOption, AvalonSpec, BoardSpec, StrikeSpec
from keeper.localchain.lyra_avalon_parameters import TradeFees
from keeper.localchain.perp_v2 import deploy as deploy_curie
from keeper.localchain.synthetix_v3 import deploy as deploy_synthetix
from keeper.localchain.transactions import Tx, send_batch
from keeper.service.markets import Market, build, pools
from keeper.service.watching.value import value
from scripts.bench.result import Result

FEW, MANY = 100, 1_000
ROUNDS, BLOCKS = 5, 5
GENESIS = 1_750_000_000
WAD = 10**18
LENDER = ACCOUNTS[1]


@dataclass(frozen=True)
class Deployed:
    """One deployed market: how it is configured, what one view call asks, what opens the n-th account, and
    what each block brings."""

    protocol: str
    address: str
    view: Callable[[int], tuple[str, str]]
    open: Callable[[int], list[Tx]]
    block: Callable[[], list[Tx]] = list
    settle: Callable[[Sequence[int]], None] = lambda numbers: None
    """What must happen after so many were opened."""
    least: int = 20
    """How many times faster a cold scan is to be."""


def measure() -> list[Result]:
    found: list[Result] = []
    for deploy in (_aave, _morpho, _comet, _troves, _synthetix, _perp, _avalon):
        with Anvil(AnvilOptions(timestamp=GENESIS, gas_limit=10**9)) as anvil:
            found += _measured(anvil, deploy(anvil))
    return found


def _measured(anvil: Anvil, market: Deployed) -> list[Result]:
    open_accounts(anvil, market, range(FEW))
    few = _requests_a_block(anvil, market)
    open_accounts(anvil, market, range(FEW, MANY))
    many = _requests_a_block(anvil, market)
    send_batch(anvil.rpc, market.block())
    anvil.mine()
    seconds = sorted(_scanned(anvil, market) for _ in range(ROUNDS))[ROUNDS // 2]
    baseline = _one_by_one(anvil, market)
    ratio = baseline / seconds
    warm = _warm(anvil, market)
    return [
        {
            "name": f"scan of {MANY} accounts, {market.protocol}",
            "value": seconds,
            "unit": "s",
            "baseline": baseline,
            "ratio": ratio,
            "aim": f"{market.least} x faster than one call an account",
            "ok": ratio >= market.least,
        },
        {
            "name": f"warm tick of {MANY} accounts, {market.protocol}",
            "value": warm,
            "unit": "s",
            "baseline": baseline,
            "ratio": baseline / warm,
            "aim": "20 x faster than one call an account",
            "ok": baseline / warm >= 20,
        },
        {
            "name": f"requests a block at {MANY} accounts, {market.protocol}",
            "value": many,
            "unit": "requests",
            "baseline": few,
            "ratio": many / few,
            "aim": f"as many as at {FEW}",
            "ok": many == few,
        },
    ]


def open_accounts(anvil: Anvil, market: Deployed, numbers: Sequence[int]) -> None:
    """Fifty at a time, with what each block brings."""
    for at in range(0, len(numbers), 50):
        txs = [*market.block(), *(tx for number in numbers[at : at + 50] for tx in market.open(number))]
        send_batch(anvil.rpc, txs)
        market.settle(numbers[at : at + 50])


def reading(anvil: Anvil, market: Deployed) -> Market:
    """The market as a keeper that has read nothing of it has it."""
    settings = Settings.model_validate(
        {
            "chains": {"local": {"chain_id": 31337, "rpc": [anvil.url]}},
            "markets": {"m": {"protocol": market.protocol, "chain": "local", "address": market.address}},
        }
    )
    [run] = build(settings, pools(settings), None, read_only=True)
    return run


def _scanned(anvil: Anvil, market: Deployed) -> float:
    run = reading(anvil, market)
    started = time.perf_counter()
    at = value(run, blocks.latest(run.book.pool))
    seconds = time.perf_counter() - started
    assert at.acting and len(at.valuations) >= MANY, (at.memory.watch_only, len(at.valuations), at.unvaluable)
    return seconds


def _requests_a_block(anvil: Anvil, market: Deployed) -> float:
    run = reading(anvil, market)
    value(run, blocks.latest(run.book.pool))
    before = run.book.pool.requests
    for _ in range(BLOCKS):
        send_batch(anvil.rpc, market.block())
        anvil.mine()
        value(run, blocks.latest(run.book.pool))
    return (run.book.pool.requests - before) / BLOCKS


def _warm(anvil: Anvil, market: Deployed) -> float:
    """A block of a keeper that has read the market before, prices moved or not."""
    run = reading(anvil, market)
    value(run, blocks.latest(run.book.pool))
    seconds = []
    for _ in range(BLOCKS):
        send_batch(anvil.rpc, market.block())
        anvil.mine()
        head = blocks.latest(run.book.pool)
        started = time.perf_counter()
        value(run, head)
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)[BLOCKS // 2]


def _one_by_one(anvil: Anvil, market: Deployed) -> float:
    web3 = Web3(Web3.HTTPProvider(anvil.url))
    block = web3.eth.block_number
    started = time.perf_counter()
    for number in range(MANY):
        target, data = market.view(number)
        call: TxParams = {"to": Web3.to_checksum_address(target), "data": data}  # type: ignore[typeddict-item]
        web3.eth.call(call, block)
    return time.perf_counter() - started


def _who(number: int) -> str:
    return f"0x{0xBE << 152 | number:040x}"


def _aave(anvil: Anvil) -> Deployed:
    at = aave_v36.deploy(anvil.rpc, *demo_market())
    ether, dollars = at.reserves["WETH"], at.reserves["USDC"]
    send_batch(anvil.rpc, act.mint_and_supply(at, dollars, LENDER, 10**15), at.errors)

    def opening(number: int) -> list[Tx]:
        who = _who(number)
        supply = act.mint_and_supply(at, ether, who, 10 * WAD)
        return [*supply, act.borrow(at, dollars, who, (9_000 + number) * 10**6)]

    def view(number: int) -> tuple[str, str]:
        return at.pool, calldata("getUserAccountData(address)", _who(number))

    return Deployed("aave-v3", at.pool, view, opening)


def _morpho(anvil: Anvil) -> Deployed:
    tokens = [morpho.TokenSpec("WETH", 18, 2500 * 10**8), morpho.TokenSpec("USDC", 6, 10**8)]
    at = morpho.deploy(anvil.rpc, tokens, [morpho.PairSpec("USDC", "WETH", 86 * WAD // 100)])
    [pair] = at.pairs

    def mint(token: str, who: str, amount: int) -> list[Tx]:
        data = calldata("mint(address,uint256)", who, amount)
        return [
            {"from": ACCOUNTS[0], "to": token, "data": data},
            morpho.approve(who, token, at.morpho, amount),
        ]

    def opening(number: int) -> list[Tx]:
        who = _who(number)
        return [
            *mint(pair.collateral, who, 10 * WAD),
            morpho.supply_collateral(at, pair, who, 10 * WAD),
            morpho.borrow(at, pair, who, (9_000 + number) * 10**6),
        ]

    send_batch(anvil.rpc, [*mint(pair.loan, LENDER, 10**15), morpho.supply(at, pair, LENDER, 10**15)])
    identity = bytes.fromhex(pair.id[2:])
    return Deployed(
        "morpho-blue",
        at.morpho,
        lambda number: (at.morpho, calldata("position(bytes32,address)", identity, _who(number))),
        opening,
    )


def _comet(anvil: Anvil) -> Deployed:
    ether = comet.CollateralSpec("WETH", 18, 2500 * 10**8, 83 * WAD // 100, 90 * WAD // 100, 95 * WAD // 100)
    at = comet.deploy(anvil.rpc, comet.CometSpec("USDC", 6, 10**8, [ether]))
    send_batch(anvil.rpc, comet.mint_and_supply(at, LENDER, "USDC", 10**15))

    def opening(number: int) -> list[Tx]:
        who = _who(number)
        supply = comet.mint_and_supply(at, who, "WETH", 10 * WAD)
        return [*supply, comet.withdraw(at, who, "USDC", (9_000 + number) * 10**6)]

    def view(number: int) -> tuple[str, str]:
        return at.comet, calldata("isLiquidatable(address)", _who(number))

    return Deployed("compound-v3", at.comet, view, opening)


def _troves(anvil: Anvil) -> Deployed:
    price = 60_000 * 10**8
    at = troves.deploy(anvil.rpc, price)

    def opening(number: int) -> list[Tx]:
        # Ever lower ratios, each put behind the one before: no search through the list.
        hints = (_who(number - 1) if number else ZERO_ADDRESS, ZERO_ADDRESS)
        return [troves.open_trove(at, _who(number), WAD, (10_000 + number) * WAD, hints)]

    def view(number: int) -> tuple[str, str]:
        return at.trove_manager, calldata("getCurrentICR(address,uint256)", _who(number), price * 10**10)

    return Deployed("liquity", at.trove_manager, view, opening, lambda: [troves.set_price(at, price)])


def _synthetix(anvil: Anvil) -> Deployed:
    perps = [synthetix.PerpSpec("ETH", 10**6 * WAD, price_delay=0, settlement_delay=1)]
    at = deploy_synthetix(anvil.rpc, [synthetix.FeedSpec("ETH", 2_000 * 10**8)], perps)
    ether = at.markets["ETH"]

    def opening(number: int) -> list[Tx]:
        account, size = number + 1, (1 + number % 7) * WAD * (1 if number % 2 else -1)
        return [
            perp_act.create_account(at, LENDER, account),
            *perp_act.mint_and_deposit(at, LENDER, account, 5_000 * WAD),
            perp_act.commit_order(at, LENDER, account, ether, size),
        ]

    def settle(numbers: Sequence[int]) -> None:
        anvil.increase_time(2)
        anvil.mine()
        price, who = 2_000 * 10**8, ACCOUNTS[2]
        txs = [
            tx
            for number in numbers
            for tx in perp_act.bring_and_settle(anvil.rpc, at, who, number + 1, ether, price)
        ]
        send_batch(anvil.rpc, txs, at.errors)

    def view(number: int) -> tuple[str, str]:
        return at.perps, calldata("getRequiredMargins(uint128)", number + 1)

    return Deployed("synthetix-v3", at.perps, view, opening, settle=settle, least=5)


def _perp(anvil: Anvil) -> Deployed:
    base = curie.BaseSpec("vETH", 2_000 * 10**8, depth=200_000_000)
    at = deploy_curie(anvil.rpc, [base], [])
    ether = at.markets["vETH"]

    def opening(number: int) -> list[Tx]:
        who, size = _who(number), (1 + number % 7) * WAD * (1 if number % 2 else -1)
        stake = curie_act.mint_and_deposit(at, who, 5_000 * curie.DOLLAR)
        return [*stake, curie_act.open_position(at, who, ether, size)]

    def view(number: int) -> tuple[str, str]:
        return at.clearing_house, calldata("getAccountValue(address)", _who(number))

    return Deployed("perp-v2", at.clearing_house, view, opening, least=5)


def _avalon(anvil: Anvil) -> Deployed:
    price = 2_000 * WAD
    # A thousand trades in a row hardly move volatility.
    spec = AvalonSpec(fees=TradeFees(standard_size=10**6 * WAD))
    at = deploy_avalon(anvil.rpc, [BoardSpec((StrikeSpec(price),))], spec)
    [board] = at.boards
    [strike] = board.strikes
    send_batch(anvil.rpc, avalon_act.mint_and_approve(at, LENDER, 10**7 * WAD), at.errors)
    kinds, size = (AvalonOption.SHORT_CALL_QUOTE, AvalonOption.SHORT_PUT_QUOTE), WAD

    def opening(number: int) -> list[Tx]:
        least = (1_200 + number % 500) * size
        return [avalon_act.open_position(at, LENDER, strike, kinds[number % 2], size, least)]

    def view(number: int) -> tuple[str, str]:
        signature = "getMinCollateral(uint8,uint256,uint256,uint256,uint256)"
        terms = (int(kinds[number % 2]), price, board.expiry, price, size)
        return at.greek_cache, calldata(signature, *terms)

    return Deployed("lyra-avalon", at.market, view, opening, least=5)


DERIVATIVES = (_synthetix, _perp, _avalon)
