"""Synthetix v3 perps for the conformance suite: two markets, dollars and a synth as collateral."""

from __future__ import annotations

import random
from collections.abc import Sequence

from eth_account import Account

from keeper.localchain import synthetix_v3_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.synthetix_v3 import deploy
from keeper.localchain.synthetix_v3_market import WAD, FeedSpec, LocalPerp, PerpSpec, SynthSpec
from keeper.localchain.transactions import TransactionFailedError, Tx
from keeper.localchain.uniswap_v3 import Token
from keeper.model.account_key import account_key
from keeper.protocols.synthetix_v3.lens import Perp
from keeper.protocols.synthetix_v3.records import PerpsAccount
from keeper.service.markets import Market
from tests.conformance.case import Closing, Scene, is_liquidatable, protection
from tests.support.keeping import KEY
from tests.support.synthetix_exchange import Exchange

TRADER, KEEPER = ACCOUNTS[2], ACCOUNTS[3]
PAYER = str(Account.from_key(KEY).address)
# ETH: a window of 70 ETH, so that large accounts take several.
PERPS = (PerpSpec("ETH", 100_000 * WAD, window=1), PerpSpec("BTC", 10_000 * WAD))
FEEDS = (FeedSpec("ETH", 2_000 * 10**8), FeedSpec("BTC", 30_000 * 10**8))
SYNTHS = (SynthSpec("sETH", "ETH", skew_scale=100 * WAD),)


class SynthetixCase:
    target = 125 * WAD // 100
    owner = "77"
    """The number of an account of the signer's."""
    oracle = "ETH"
    by_contract_only = False
    lag = 0
    chain = ""

    def __init__(self, anvil: Anvil, perps: Sequence[PerpSpec] = PERPS) -> None:
        self.anvil = anvil
        self.at = Exchange(anvil, deploy(anvil.rpc, FEEDS, perps, SYNTHS))
        self.prices = {"ETH": 2_000, "BTC": 30_000}
        self.opened: list[int] = []
        anvil.set_balance(PAYER, 10**20)

    def toml(self) -> str:
        return f'protocol = "synthetix-v3"\naddress = "{self.at.system.perps}"'

    def open(self, dice: random.Random, count: int) -> list[str]:
        self.at.send(*self.hold())
        found = []
        for _ in range(count):
            account = dice.getrandbits(126)
            dollars = dice.choice([0, dice.randint(1, 3_000), dice.randint(3_000, 200_000)])
            synths = dice.randint(1, 40) if not dollars or dice.random() < 0.4 else 0
            self.at.open_account(TRADER, account, dollars, synths)
            for perp in (self.at.eth, self.at.btc):
                if dice.random() < 0.7:
                    self.trade(dice, account, perp, dollars + synths * self.prices["ETH"])
            self.opened.append(account)
            found.append(account_key(str(account)))
        return found

    def trade(self, dice: random.Random, account: int, perp: LocalPerp, worth: int) -> None:
        """A position of up to some ten times what the account has, where its margin allows it."""
        price = self.prices[perp.symbol]
        size = int(dice.uniform(-12, 12) * max(worth, 100) / price * WAD)
        self.tried(lambda: self.at.trade(TRADER, account, perp, size or WAD, price, KEEPER))

    def tried(self, act_: object) -> bool:
        """Whether it went through; what the market refuses is no fault of the test's."""
        assert callable(act_)
        try:
            act_()
        except TransactionFailedError:
            return False
        return True

    def stir(self, dice: random.Random) -> None:
        self.anvil.increase_time(dice.choice([1, 13, 3_600, 400_000]))
        self.anvil.mine()
        for symbol, price in self.prices.items():
            self.prices[symbol] = max(price * dice.randint(940, 1070) // 1000, 1)
        self.at.send(*self.hold())
        system = self.at.system
        for account in dice.sample(self.opened, min(4, len(self.opened))):
            what = dice.choice(["liquidate", "margin", "trade", "add", "pay", "withdraw", "wait", "flagged"])
            perp = dice.choice([self.at.eth, self.at.btc])
            some = dice.randrange(1, 500 * WAD)
            if what == "trade":
                self.trade(dice, account, perp, 3_000)
                continue
            steps: dict[str, list[Tx]] = {
                "liquidate": [act.liquidate(system, KEEPER, account)],
                "margin": [act.liquidate_margin_only(system, KEEPER, account)],
                "flagged": [act.liquidate_flagged(system, KEEPER, 3)],
                "add": act.mint_and_deposit(system, TRADER, account, some),
                "withdraw": [act.withdraw(system, TRADER, account, some)],
                "pay": [
                    act.mint(system, KEEPER, some),
                    act.approve(system, KEEPER),
                    act.pay_debt(system, KEEPER, account, some),
                ],
                "wait": [act.commit_order(system, TRADER, account, perp, some // 1_000)],
            }
            self.tried(lambda txs=steps[what]: self.at.send(*txs))

    def scenes(self) -> dict[str, Scene]:
        whale, long, short, large = 901, 902, 903, 904

        def breaking(account: int, size: int, move: int) -> Scene:
            def play() -> None:
                self.funded(account, 1_300 * self.prices["ETH"] // 2_000)
                self.at.trade(TRADER, account, self.at.eth, size * WAD, self.prices["ETH"], KEEPER)
                self.moved(move)

            return Scene(play, is_liquidatable(lambda: account_key(str(account))))

        def paying(size: int, sign: int) -> Scene:
            def play() -> None:
                if whale not in self.opened:
                    self.funded(whale, 10**8)
                eth = self.at.eth
                self.at.trade(TRADER, whale, eth, size * WAD, self.prices["ETH"], KEEPER)
                for _ in range(30):
                    self.anvil.increase_time(86_400)
                    self.at.send(*self.hold())
                    if sign * self.at.number("currentFundingRate(uint128)", eth.id) < 0:
                        break

            def is_there(market: Market, now: int) -> bool:
                eth: Perp = market.book.state.perps[self.at.eth.id]
                return sign * (eth.funding_at(now + 1) - eth.funding_at(now)) > 0

            return Scene(play, is_there)

        def limited() -> None:
            self.funded(large, 60 * self.prices["ETH"])
            self.at.trade(TRADER, large, self.at.eth, 300 * WAD, self.prices["ETH"], KEEPER)
            self.moved(750)
            self.at.send(act.liquidate(self.at.system, KEEPER, large))

        def is_limited(market: Market, now: int) -> bool:
            raw: PerpsAccount = market.book.accounts[account_key(str(large))]
            eth: Perp = market.book.state.perps[self.at.eth.id]
            return bool(raw.flagged and raw.positions and eth.capacity_at(now) == 0)

        return {
            "a long breaks as the price falls": breaking(long, 10, 940),
            "a short breaks as the price rises": breaking(short, -10, 1_060),
            "shorts pay": paying(-5_000, 1),
            "longs pay": paying(10_000, -1),
            "flagged, and its market's window is used up": Scene(limited, is_limited),
        }

    def funded(self, account: int, dollars: int) -> None:
        self.at.send(*self.hold())
        self.at.open_account(TRADER, account, dollars)
        self.opened.append(account)

    def moved(self, per_mille: int) -> None:
        self.prices["ETH"] = self.prices["ETH"] * per_mille // 1_000
        self.at.send(*self.hold())

    def near(self, owner: str) -> str:
        """Debt of a loss, synths against it, and thirteen ETH long."""
        account = int(owner) if owner.isdecimal() else int(owner, 16) >> 40
        who = PAYER if owner.isdecimal() else TRADER
        self.at.send(*self.hold())
        self.at.open_account(who, account, synths=1)
        for perp, size, price in (
            (self.at.btc, WAD, 30_000),
            (self.at.btc, -WAD, 29_000),
            (self.at.eth, 13 * WAD, 2_000),
        ):
            self.at.trade(who, account, perp, size, price, KEEPER)
        return account_key(str(account))

    def fall(self) -> list[Tx]:
        self.prices["ETH"] = self.prices["ETH"] * 98 // 100
        return self.hold()

    def hold(self) -> list[Tx]:
        return [act.set_price(self.at.system, name, price * 10**8) for name, price in self.prices.items()]

    def refresh(self) -> list[Tx]:
        return self.hold()

    def fund(self, payer: str) -> list[Tx]:
        return [act.mint(self.at.system, payer, 10**6 * WAD)]

    def tokens(self) -> dict[str, Token]:
        return {"snxUSD": Token(self.at.system.usd.lower(), 18, 10**8)}

    def protect(self, owner: str, action: str = "supply") -> str:
        return protection(owner, action, "snxUSD")

    def closings(self) -> dict[str, Closing]:
        return {}
