"""Mezo's trove system for the conformance suite."""

from __future__ import annotations

import random

from eth_account import Account

from keeper.localchain import troves
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.calldata import calldata
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.uniswap_v3 import Token
from tests.conformance.case import Closing, Scene, protection
from tests.support import trove_users
from tests.support.keeping import KEY
from tests.support.views import view_int

WAD = 10**18
LENDER, ANYONE = ACCOUNTS[1], ACCOUNTS[2]
MOVED_PER_MILLE = (930, 1060)


class TroveCase:
    target = 125 * WAD // 100
    owner = str(Account.from_key(KEY).address).lower()
    oracle = "native"
    by_contract_only = False
    lag = 0
    chain = ""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.price = 60_000 * 10**8
        self.at = troves.deploy(anvil.rpc, self.price)
        self.opened: list[str] = []
        anvil.set_balance(LENDER, 10**24)
        send_batch(
            anvil.rpc,
            [
                *self.hold(),
                troves.open_trove(self.at, LENDER, 10_000 * WAD, 2_000_000 * WAD),
                *troves.provide(self.at, LENDER, 30_000 * WAD),
            ],
        )

    def toml(self) -> str:
        return f'protocol = "liquity"\naddress = "{self.at.trove_manager}"'

    def position(self, who: str, debt: int, ratio: float) -> list[Tx]:
        """A trove with this much debt, fees and gas compensation included, at this ratio."""
        self.anvil.set_balance(who, 10**22)
        whole = debt + debt // 1000 + 200 * WAD
        return [troves.open_trove(self.at, who, int(whole * ratio * 10**8) // self.price, debt)]

    def open(self, dice: random.Random, count: int) -> list[str]:
        txs = self.hold()
        found = []
        for _ in range(count):
            who = f"0x{dice.getrandbits(150):040x}"
            debt = dice.choice([1_800, 2_500, 40_000]) * WAD + dice.randrange(WAD)
            txs += self.position(who, debt, dice.choice([dice.uniform(1.13, 1.6), dice.uniform(1.6, 6)]))
            if dice.random() < 0.15:
                txs += [self.give(who, debt), trove_users.close(self.at, who)]
            else:
                self.opened.append(who)
            found.append(who)
        send_batch(self.anvil.rpc, txs)
        # The lender's own trove is one too.
        return [*found, LENDER.lower()]

    def give(self, who: str, amount: int) -> Tx:
        data = calldata("transfer(address,uint256)", who, amount)
        return {"from": LENDER, "to": self.at.musd, "data": data, "gas": 200_000}

    def stir(self, dice: random.Random) -> None:
        self.anvil.increase_time(dice.choice([1, 13, 3_600, 2_000_000]))
        self.anvil.mine()
        self.price = self.price * dice.randint(*MOVED_PER_MILLE) // 1000
        send_batch(self.anvil.rpc, self.hold())
        txs: list[Tx] = self.hold()
        unsafe = [who for who in self.opened if self.ratio(who) < 110 * WAD // 100]
        if unsafe and dice.random() < 0.6:
            some = unsafe[: dice.randint(1, 3)]
            self.opened = [who for who in self.opened if who not in some]
            data = calldata("batchLiquidateTroves(address[])", [*some, LENDER])
            txs.append({"from": ANYONE, "to": self.at.trove_manager, "data": data, "gas": 5_000_000})
        for who in dice.sample(self.opened, min(3, len(self.opened))):
            if self.ratio(who) > 12 * WAD // 10:
                txs.append(trove_users.add_collateral(self.at, who, dice.randrange(1, 10**15)))
            counted = calldata("updateSystemAndTroveInterest(address)", dice.choice(self.opened))
            txs.append({"from": ANYONE, "to": self.at.trove_manager, "data": counted, "gas": 500_000})
        send_batch(self.anvil.rpc, [*txs, *self.hold()])

    def ratio(self, who: str) -> int:
        view = "getCurrentICR(address,uint256)"
        return view_int(self.anvil.rpc, self.at.trove_manager, view, who, self.price * 10**10)

    def scenes(self) -> dict[str, Scene]:
        return {}

    def near(self, owner: str) -> str:
        send_batch(self.anvil.rpc, [*self.hold(), *self.position(owner, 20_000 * WAD, 1.13)])
        self.opened.append(owner)
        return owner

    def fall(self) -> list[Tx]:
        self.price = self.price * 95 // 100
        return self.hold()

    def hold(self) -> list[Tx]:
        return [troves.set_price(self.at, self.price)]

    def refresh(self) -> list[Tx]:
        return self.hold()

    def fund(self, payer: str) -> list[Tx]:
        return []

    def tokens(self) -> dict[str, Token]:
        return {"MUSD": Token(self.at.musd.lower(), 18, 10**8)}

    def protect(self, owner: str, action: str = "supply") -> str:
        return protection(owner, action, "MUSD" if action == "repay" else "native")

    def closings(self) -> dict[str, Closing]:
        return {}
