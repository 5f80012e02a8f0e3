"""The accounts of the market: some thirty that differ, and two owners under protection."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, ReserveSpec
from keeper.localchain.transactions import Tx

PERCENT = 10_000
EMODE_THRESHOLD = 0.95


@dataclass(frozen=True)
class Member:
    """One account: what it supplies and borrows (dollars), and what is special about it."""

    address: str
    label: str
    supplies: Mapping[str, float]
    borrows: Mapping[str, float] = field(default_factory=dict)
    emode: int = 0
    switched_off: tuple[str, ...] = ()
    stable: bool = False
    gives_tokens_to: str = ""


@dataclass(frozen=True)
class Cast:
    members: tuple[Member, ...]
    saver: str
    repayer: str
    lender: str

    @property
    def protected(self) -> tuple[str, str]:
        return self.saver, self.repayer


def _address(number: int) -> str:
    return f"0x{0xACC0 << 144 | number:040x}"


def cast(seed: int, specs: list[ReserveSpec]) -> Cast:
    """The cast of a seed; the same seed gives the same people."""
    dice = random.Random(seed)  # noqa: S311  (a market day, not a secret)
    thresholds = {spec.symbol: spec.liquidation_threshold / PERCENT for spec in specs}
    members: list[Member] = []

    def add(
        label: str,
        supplies: Mapping[str, float],
        debts: tuple[str, ...],
        *,
        health: float | None = None,
        **special: Any,
    ) -> str:
        """Add a member, with debts such that the account opens at `health`; `special` is what is special
        about the member."""
        member = Member(_address(len(members) + 1), label, supplies, **special)
        power = sum(
            value * (EMODE_THRESHOLD if member.emode else thresholds[symbol])
            for symbol, value in supplies.items()
            if symbol not in member.switched_off
        )
        opened_at = health or dice.uniform(1.08, 1.9)
        shares = [dice.uniform(0.5, 1.5) for _ in debts]
        borrows = {s: power / opened_at * w / sum(shares) for s, w in zip(debts, shares, strict=True)}
        members.append(replace(member, borrows=borrows))
        return member.address

    def size() -> float:
        return round(10 ** dice.uniform(3.6, 5.6), 2)

    for _ in range(7):
        add("ETH against USDC", {"WETH": size()}, ("USDC",))
    for _ in range(4):
        add("BTC against DAI", {"WBTC": size()}, ("DAI",))
    for _ in range(5):
        add("many against many", {"WETH": size(), "WBTC": size(), "DAI": size()}, ("USDC", "wstETH"))
    for _ in range(4):
        add("e-mode", {"wstETH": size()}, ("WETH",), emode=1, health=dice.uniform(1.025, 1.08))
    for _ in range(2):
        add("USDC switched off", {"WETH": size(), "USDC": size()}, ("DAI",), switched_off=("USDC",))
    add("stable rate", {"WETH": size()}, ("DAI",), stable=True)
    for _ in range(2):
        add("dust", {"WETH": dice.uniform(4, 9)}, ("USDC",), health=dice.uniform(1.1, 1.4))
    add("two debts, one small", {"WETH": 2_000.0}, ("USDC", "DAI"), health=1.12)
    for _ in range(3):
        add("no debt", {"WBTC": size()}, ())
    receiver = _address(900)
    add("gives aTokens away", {"WETH": size()}, (), gives_tokens_to=receiver)
    saver = add("owner, saved by collateral", {"WETH": 120_000.0}, ("USDC",), health=1.3)
    repayer = add("owner, saved by repaying", {"WBTC": 90_000.0}, ("DAI",), health=1.28)
    members.append(Member(receiver, "received aTokens", {}))
    return Cast(tuple(members), saver, repayer, _address(999))


def opening(market: AaveDeployment, people: Cast, specs: list[ReserveSpec]) -> list[Tx]:
    """Every transaction that brings the cast into the market; the lender comes first."""
    prices = {spec.symbol: spec.price for spec in specs}

    def units(symbol: str, dollars: float) -> int:
        reserve = market.reserves[symbol]
        cents = int(dollars * 100)
        return cents * 10**6 * int(10**reserve.decimals) // prices[symbol]

    txs: list[Tx] = []
    for symbol, reserve in market.reserves.items():
        txs += act.mint_and_supply(market, reserve, people.lender, units(symbol, 4_000_000))
    for member in people.members:
        for symbol, dollars in member.supplies.items():
            reserve = market.reserves[symbol]
            txs += act.mint_and_supply(market, reserve, member.address, units(symbol, dollars))
        for symbol in member.switched_off:
            txs.append(act.use_as_collateral(market, market.reserves[symbol], member.address, False))
        if member.emode:
            txs.append(act.set_emode(market, member.address, member.emode))
        for symbol, dollars in member.borrows.items():
            rate = act.STABLE_RATE if member.stable else act.VARIABLE_RATE
            amount = units(symbol, dollars)
            txs.append(act.borrow(market, market.reserves[symbol], member.address, amount, rate))
        if member.gives_tokens_to:
            reserve = market.reserves["WETH"]
            half = units("WETH", sum(member.supplies.values()) / 2)
            txs.append(act.transfer_a_token(reserve, member.address, member.gives_tokens_to, half))
    return txs
