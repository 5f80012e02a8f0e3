"""Both deployable Aave versions for the conformance suite."""

from __future__ import annotations

import random
from collections.abc import Callable

from keeper.localchain import aave_actions as act
from keeper.localchain import aave_v36, aave_v302
from keeper.localchain.aave_market import demo_market
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.uniswap_v3 import Token
from tests.conformance.case import Closing, Scene, protection
from tests.support import aave_permissions as permit

WAD = 10**18
LENDER = ACCOUNTS[1]
_DEPLOY = {"3.0.2": aave_v302.deploy, "3.6": aave_v36.deploy}


class AaveCase:
    target = 125 * WAD // 100
    owner = "0x" + "a1" * 20
    by_contract_only = False
    lag = 0
    chain = ""
    oracle = "WETH"

    def __init__(self, anvil: Anvil, version: str) -> None:
        self.anvil = anvil
        specs, emodes = demo_market()
        self.at = _DEPLOY[version](anvil.rpc, specs, emodes)
        self.prices = {spec.symbol: spec.price for spec in specs}
        self.opened: list[str] = []
        txs: list[Tx] = []
        for symbol in self.prices:
            txs += self._supply(LENDER, symbol, 10_000_000)
        send_batch(anvil.rpc, txs, self.at.errors)

    @classmethod
    def of(cls, version: str) -> Callable[[Anvil], AaveCase]:
        return lambda anvil: cls(anvil, version)

    def toml(self) -> str:
        return f'protocol = "aave-v3"\naddress = "{self.at.pool}"'

    def _supply(self, who: str, symbol: str, dollars: int) -> list[Tx]:
        reserve = self.at.reserves[symbol]
        amount = dollars * 10**8 * 10**reserve.decimals // self.prices[symbol]
        return act.mint_and_supply(self.at, reserve, who, amount)

    def _borrow(self, who: str, symbol: str, cents: int) -> Tx:
        reserve = self.at.reserves[symbol]
        return act.borrow(self.at, reserve, who, cents * 10**6 * 10**reserve.decimals // self.prices[symbol])

    def open(self, dice: random.Random, count: int) -> list[str]:
        txs: list[Tx] = []
        found = []
        for _ in range(count):
            who = f"0x{dice.getrandbits(150):040x}"
            power = 0
            for symbol in dice.sample(["WETH", "WBTC", "USDC", "DAI"], dice.randint(1, 3)):
                dollars = dice.choice([20, 500, 40_000])
                txs += self._supply(who, symbol, dollars)
                power += dollars * 73
            for _ in range(dice.randint(0, 2)):
                part = int(power * dice.uniform(0.05, 0.49))
                txs.append(self._borrow(who, dice.choice(["WETH", "USDC", "DAI"]), part))
            found.append(who)
        self.opened += found
        send_batch(self.anvil.rpc, txs, self.at.errors)
        # The lender's own account is one too.
        return [*found, LENDER.lower()]

    def stir(self, dice: random.Random) -> None:
        txs: list[Tx] = []
        for symbol, reserve in self.at.reserves.items():
            self.prices[symbol] = int(self.prices[symbol] * dice.uniform(0.95, 1.05))
            txs.append(act.set_price(self.at, reserve, self.prices[symbol]))
        for who in dice.sample(self.opened, min(3, len(self.opened))):
            txs += self._supply(who, dice.choice(["WETH", "WBTC", "USDC", "DAI"]), dice.randint(1, 900))
        lent = self.at.reserves[dice.choice(sorted(self.prices))]
        txs.append(act.transfer_a_token(lent, LENDER, dice.choice(self.opened), dice.randrange(1, 10**6)))
        send_batch(self.anvil.rpc, txs, self.at.errors)
        self.anvil.increase_time(dice.choice([1, 13, 3_600, 2_000_000]))
        self.anvil.mine()

    def scenes(self) -> dict[str, Scene]:
        return {}

    def near(self, owner: str) -> str:
        txs = [*self._supply(owner, "WETH", 25_000), self._borrow(owner, "USDC", 1_990_000)]
        send_batch(self.anvil.rpc, txs, self.at.errors)
        self.opened.append(owner)
        return owner

    def fall(self) -> list[Tx]:
        self.prices["WETH"] = self.prices["WETH"] * 95 // 100
        return self.refresh()

    def hold(self) -> list[Tx]:
        return []

    def refresh(self) -> list[Tx]:
        return [act.set_price(self.at, self.at.reserves["WETH"], self.prices["WETH"])]

    def fund(self, payer: str) -> list[Tx]:
        reserves = self.at.reserves
        return [
            act.mint(self.at, reserves["USDC"], payer, 10**12),
            act.mint(self.at, reserves["WETH"], payer, 10**21),
        ]

    def tokens(self) -> dict[str, Token]:
        return {
            symbol: Token(each.asset.lower(), each.decimals, self.prices[symbol])
            for symbol, each in self.at.reserves.items()
        }

    def protect(self, owner: str, action: str = "repay") -> str:
        return protection(owner, action, "USDC" if action == "repay" else "WETH")

    def closings(self) -> dict[str, Closing]:
        usdc, ether = self.at.reserves["USDC"], self.at.reserves["WETH"]
        return {
            "paused": Closing([permit.pause(self.at, usdc, True)], "repay", "paused"),
            "frozen": Closing([permit.freeze(self.at, ether, True)], "supply", "frozen"),
            "supply cap": Closing([permit.set_supply_cap(self.at, ether, 1)], "supply", "supply cap"),
        }
