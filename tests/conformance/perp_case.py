"""Perp v2 for the conformance suite: two markets, dollars and WETH as collateral, takers and makers."""

from __future__ import annotations

import random
from dataclasses import replace

from eth_account import Account

from keeper.localchain import perp_v2_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.perp_v2 import deploy
from keeper.localchain.perp_v2_market import DOLLAR, WAD, CurieBuild, LocalBase
from keeper.localchain.perp_v2_takeover import deploy_takeover
from keeper.localchain.transactions import TransactionFailedError, Tx
from keeper.localchain.uniswap_v3 import Token
from keeper.service.markets import Market
from tests.conformance.case import Closing, Scene, is_liquidatable, protection
from tests.support.curie_exchange import COLLATERALS, MARKETS, CurieExchange
from tests.support.keeping import KEY

PAYER = str(Account.from_key(KEY).address)
RIVAL = ACCOUNTS[1]
DEEP = [replace(each, depth=5 * each.depth) for each in MARKETS]
TICKS = {"vETH": (75_960, 77_040), "vBTC": (102_000, 104_040)}


class PerpCase:
    """Of a build, 2.6.0 where none is named: its mark follows the pool at once, that of 2.8.4 by averages."""

    build: CurieBuild = "2.6.0"

    target = 125 * WAD // 100
    owner = "0x" + "a1" * 20
    oracle = "vETH"
    by_contract_only = False
    lag = 0
    chain = "native_price = 2000"

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.at = CurieExchange(anvil, deploy(anvil.rpc, DEEP, COLLATERALS, None, self.build))
        self.takeover = deploy_takeover(anvil.rpc, self.at.system, PAYER, PAYER)
        self.prices = {"vETH": 2_000, "vBTC": 30_000}
        self.noted: dict[str, int] = {}
        self.opened: list[str] = []
        anvil.set_balance(PAYER, 10**20)

    @classmethod
    def of(cls, build: CurieBuild) -> type[PerpCase]:
        return type(cls.__name__, (cls,), {"build": build, "lag": 2})

    def toml(self) -> str:
        address = self.at.system.clearing_house
        own = f'perp_v2.takeover = "{self.takeover}"'
        return f'protocol = "perp-v2"\naddress = "{address}"\nunknown_oracles = "act"\n{own}'

    def bases(self) -> list[LocalBase]:
        return [self.at.eth, self.at.btc]

    def open(self, dice: random.Random, count: int) -> list[str]:
        # Those that came with the market are accounts as well.
        system = self.at.system
        own = [] if self.opened else [system.maker, system.mover, system.insurance_fund]
        found = [each.lower() for each in own]
        for _ in range(count):
            who = f"0x{dice.getrandbits(160):040x}"
            dollars = dice.randint(500, 20_000)
            self.at.fund(who, dollars=dollars, ether=dice.choice([0, 0, 1, 3]))
            for base in self.bases():
                if dice.random() < 0.6:
                    self.trade(dice, who, base, dollars)
                if dice.random() < 0.3:
                    self.make(dice, who, base, dollars)
            self.opened.append(who)
            found.append(who)
        return found

    def trade(self, dice: random.Random, who: str, base: LocalBase, dollars: int) -> None:
        """Up to some five times what the account has."""
        worth = dice.randint(-5 * dollars, 5 * dollars) or 1
        self.tried(act.open_position(self.at.system, who, base, worth * WAD // self.prices[base.symbol]))

    def make(self, dice: random.Random, who: str, base: LocalBase, dollars: int) -> None:
        some = dice.randint(1, dollars)
        amounts = (some * WAD // self.prices[base.symbol], some * WAD)
        self.tried(act.add_liquidity(self.at.system, who, base, *amounts, *TICKS[base.symbol]))

    def tried(self, *txs: Tx) -> bool:
        """Whether it went through; what the exchange refuses is no fault of the test's."""
        try:
            self.at.send(*txs)
        except TransactionFailedError:
            return False
        return True

    def stir(self, dice: random.Random) -> None:
        self.at.wait(dice.choice([1, 13, 1_000, 20_000]))
        base, system = dice.choice(self.bases()), self.at.system
        self.prices[base.symbol] = self.prices[base.symbol] * dice.randint(960, 1_040) // 1_000
        self.tried(*self.priced(base), act.push_pool(self.anvil.rpc, system, base, self.price(base)))
        for who in dice.sample(self.opened, min(4, len(self.opened))):
            what = dice.choice(["trade", "make", "add", "cancel", "liquidate", "collateral"])
            steps: dict[str, list[Tx]] = {
                "add": act.mint_and_deposit(system, who, dice.randint(1, 500 * DOLLAR)),
                "cancel": [act.cancel_orders(system, RIVAL, who, base)],
                "liquidate": [act.liquidate(system, RIVAL, who, base)],
                "collateral": act.liquidate_collateral(system, RIVAL, who, self.at.weth, DOLLAR),
            }
            if what == "trade":
                self.trade(dice, who, base, 2_000)
            elif what == "make":
                self.make(dice, who, base, 2_000)
            else:
                self.tried(*steps[what])

    def scenes(self) -> dict[str, Scene]:
        long, short = "0x" + "91" * 20, "0x" + "92" * 20

        def breaking(who: str, size: int, move: int) -> Scene:
            def play() -> None:
                self.at.fund(who, dollars=size_worth(size) * 11 // 100)
                self.at.trade(who, self.at.eth, size * WAD)
                self.opened.append(who)
                self.moved(move)

            return Scene(play, is_liquidatable(lambda: who))

        def size_worth(size: int) -> int:
            return abs(size) * self.prices["vETH"]

        def paying(index: int, sign: int) -> Scene:
            """The index at so many parts in a thousand of the pool's price, long enough for averages."""

            def play() -> None:
                self.at.wait(1)
                eth = self.at.eth
                self.at.send(act.set_index(self.at.system, eth, self.price(eth) * index // 1_000))
                self.tried(act.cache_index(self.at.system, self.at.system.owner, eth))
                self.noted.pop(eth.symbol, None)
                self.at.wait(4_000)

            def is_there(market: Market, now: int) -> bool:
                state = market.book.state
                book = state.markets[self.at.eth.token.lower()]
                grown = [book.growth_at(state.max_rate, at).premium for at in (now, now + 1)]
                return bool(sign * (grown[1] - grown[0]) > 0)

            return Scene(play, is_there)

        return {
            "longs pay": paying(985, 1),
            "shorts pay": paying(1_015, -1),
            "a long breaks as the price falls": breaking(long, 50, 940),
            "a short breaks as the price rises": breaking(short, -50, 1_060),
        }

    def moved(self, per_mille: int) -> None:
        """Index and pool, and all averages of both."""
        self.prices["vETH"] = self.prices["vETH"] * per_mille // 1_000
        self.at.wait(1)
        eth = self.at.eth
        self.at.send(*self.priced(eth), act.push_pool(self.anvil.rpc, self.at.system, eth, self.price(eth)))
        self.at.wait(4_000)

    def near(self, owner: str) -> str:
        """A hundred ETH long, with a little more than they must have."""
        self.at.fund(owner, dollars=21_300)
        self.at.trade(owner, self.at.eth, 100 * WAD)
        self.at.wait(1)
        return owner

    def price(self, base: LocalBase) -> int:
        return self.prices[base.symbol] * 10**8

    def priced(self, base: LocalBase) -> list[Tx]:
        """The index, a little below the pool, so that the mark is the pool's price for a while."""
        answer = self.price(base) * 997 // 1_000
        found = [act.set_index(self.at.system, base, answer)]
        # The feed takes note of another price only, and reverts otherwise.
        if self.noted.get(base.symbol) != answer:
            found.append(act.cache_index(self.at.system, self.at.system.owner, base))
            self.noted[base.symbol] = answer
        return found

    def fall(self) -> list[Tx]:
        self.prices["vETH"] = self.prices["vETH"] * 95 // 100
        eth = self.at.eth
        # The feed takes no second answer of the same second.
        self.anvil.increase_time(1)
        return [*self.hold(), act.push_pool(self.anvil.rpc, self.at.system, eth, self.price(eth))]

    def hold(self) -> list[Tx]:
        return [tx for base in self.bases() for tx in self.priced(base)]

    def refresh(self) -> list[Tx]:
        return self.hold()

    def fund(self, payer: str) -> list[Tx]:
        return act.mint_and_deposit(self.at.system, payer, 10**6 * DOLLAR)[:1]

    def tokens(self) -> dict[str, Token]:
        return {"USDC": Token(self.at.system.usd.lower(), 6, 10**8)}

    def protect(self, owner: str, action: str = "add_collateral") -> str:
        # There is nothing to repay.
        return protection(owner, "add_collateral", "USDC")

    def closings(self) -> dict[str, Closing]:
        return {}
