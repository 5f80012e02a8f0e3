"""Compound v3 for the conformance suite, on our stand-in: no package ships the real contract."""

from __future__ import annotations

import random

from keeper.localchain import comet_standin as comet
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.calldata import calldata
from keeper.localchain.comet_standin import CollateralSpec, CometSpec
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.uniswap_v3 import Token
from tests.conformance.case import Closing, Scene, protection
from tests.support import comet_users

WAD = 10**18
PERCENT = WAD // 100
LENDER = ACCOUNTS[1]
SPEC = CometSpec(
    "USDC",
    6,
    10**8,
    [
        CollateralSpec("WETH", 18, 2500 * 10**8, 83 * PERCENT, 90 * PERCENT, 95 * PERCENT),
        CollateralSpec("WBTC", 8, 60_000 * 10**8, 70 * PERCENT, 77 * PERCENT, 93 * PERCENT),
        CollateralSpec("LINK", 18, 15 * 10**8, 68 * PERCENT, 74 * PERCENT, 92 * PERCENT),
    ],
    target_reserves=10**15,
)


class CometCase:
    target = 125 * WAD // 100
    owner = "0x" + "a1" * 20
    oracle = "WETH"
    by_contract_only = False
    lag = 0
    chain = ""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.at = comet.deploy(anvil.rpc, SPEC)
        self.specs = {each.symbol: each for each in SPEC.collaterals}
        self.prices = {each.symbol: each.price for each in SPEC.collaterals}
        self.opened: list[str] = []
        send_batch(anvil.rpc, comet.mint_and_supply(self.at, LENDER, "USDC", 10**14))

    def toml(self) -> str:
        return f'protocol = "compound-v3"\naddress = "{self.at.comet}"'

    def _position(self, who: str, worth: dict[str, int], ratio: float) -> list[Tx]:
        """Collaterals for so many dollars each, and debt at this part of what may be borrowed."""
        txs: list[Tx] = []
        power = 0
        for symbol, dollars in worth.items():
            spec = self.specs[symbol]
            amount = dollars * 10**8 * 10**spec.decimals // self.prices[symbol]
            txs += comet.mint_and_supply(self.at, who, symbol, amount)
            power += dollars * spec.borrow // WAD
        if ratio:
            txs.append(comet.withdraw(self.at, who, "USDC", int(power * 10**6 * ratio)))
        return txs

    def open(self, dice: random.Random, count: int) -> list[str]:
        txs: list[Tx] = []
        found = []
        for _ in range(count):
            who = f"0x{dice.getrandbits(150):040x}"
            if dice.random() < 0.15:
                txs += comet.mint_and_supply(self.at, who, "USDC", dice.randrange(1, 10**9))
            else:
                symbols = dice.sample(sorted(self.specs), dice.randint(1, 3))
                worth = {symbol: dice.choice([20, 500, 40_000]) for symbol in symbols}
                txs += self._position(who, worth, dice.choice([0.0, dice.uniform(0.01, 0.97)]))
            found.append(who)
        self.opened += found
        send_batch(self.anvil.rpc, txs)
        # The lender's own account is one too.
        return [*found, LENDER.lower()]

    def stir(self, dice: random.Random) -> None:
        txs: list[Tx] = []
        for symbol in self.prices:
            self.prices[symbol] = int(self.prices[symbol] * dice.uniform(0.95, 1.05))
            txs.append(comet_users.set_price(self.at, symbol, self.prices[symbol]))
        for who in dice.sample(self.opened, min(4, len(self.opened))):
            symbol = dice.choice(["USDC", *self.prices])
            txs += comet.mint_and_supply(self.at, who, symbol, dice.randrange(1, 10**7))
        data = calldata("accrueAccount(address)", LENDER)
        txs.append({"from": LENDER, "to": self.at.comet, "data": data})
        send_batch(self.anvil.rpc, txs)
        self.anvil.increase_time(dice.choice([1, 13, 3_600, 2_000_000]))
        self.anvil.mine()

    def scenes(self) -> dict[str, Scene]:
        return {}

    def near(self, owner: str) -> str:
        send_batch(self.anvil.rpc, self._position(owner, {"WETH": 20_000}, 0.99))
        return owner

    def fall(self) -> list[Tx]:
        self.prices["WETH"] = self.prices["WETH"] * 89 // 100
        return self.refresh()

    def refresh(self) -> list[Tx]:
        return [comet_users.set_price(self.at, "WETH", self.prices["WETH"])]

    def hold(self) -> list[Tx]:
        return []

    def fund(self, payer: str) -> list[Tx]:
        wanted = {"USDC": 10**12, "WETH": 10**21}
        return [
            {
                "from": ACCOUNTS[0],
                "to": self.at.tokens[symbol],
                "data": calldata("mint(address,uint256)", payer, amount),
            }
            for symbol, amount in wanted.items()
        ]

    def tokens(self) -> dict[str, Token]:
        usdc = Token(self.at.tokens["USDC"].lower(), 6, 10**8)
        return {"USDC": usdc} | {
            symbol: Token(self.at.tokens[symbol].lower(), spec.decimals, self.prices[symbol])
            for symbol, spec in self.specs.items()
        }

    def protect(self, owner: str, action: str = "repay") -> str:
        return protection(owner, action, "USDC" if action == "repay" else "WETH")

    def closings(self) -> dict[str, Closing]:
        full = calldata("setCaps(address,uint128)", self.at.tokens["WETH"], 1)
        return {
            "supply paused": Closing([comet_users.pause(self.at, supply=True)], "repay", "paused"),
            "supply cap": Closing(
                [{"from": self.at.governor, "to": self.at.comet, "data": full}], "supply", "supply cap"
            ),
        }
