"""Our own clearinghouse for the conformance suite: two underlyings, options, ether as collateral."""

from __future__ import annotations

import random
from collections.abc import Callable

from eth_account import Account

from keeper.localchain import clearinghouse_actions as act
from keeper.localchain.anvil import Anvil
from keeper.localchain.clearinghouse import UNIT, HouseSpec, HouseTerms, account_count, deploy
from keeper.localchain.rpc import as_str
from keeper.localchain.transactions import TransactionFailedError, Tx, call_of, send_batch
from keeper.localchain.uniswap_v3 import Token
from keeper.model.account_key import account_key
from keeper.service.markets import Market
from tests.conformance.case import Closing, Scene, is_liquidatable, protection
from tests.support.keeping import KEY
from tests.support.views import view_int

PAYER = str(Account.from_key(KEY).address)
SIGNER, MAKER, TRADER = int(KEY, 16), 0x3A, 0x7A
DAY = 86_400


class ClearinghouseCase:
    target = 125 * 10**18 // 100
    owner = "2"
    """The number of the third account: the first two are the keeper's own and a maker's."""
    oracle = "UNDERLYING-0"
    by_contract_only = False
    lag = 0
    chain = "native_price = 2000"

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.at = deploy(anvil.rpc, HouseSpec(terms=HouseTerms(cash_cap=10**7 * 10**18)))
        self.chain_id = int(as_str(anvil.rpc.call("eth_chainId")), 16)
        self.prices = {"ETH": 2_000, "BTC": 30_000}
        self.nonce = 0
        self.opened: list[int] = []
        anvil.set_balance(PAYER, 10**20)
        self.own = self.account(SIGNER, 1_000_000)
        self.maker = self.account(MAKER, 50_000_000, 1_000)

    def toml(self) -> str:
        own = f"clearinghouse.account = {self.own}"
        return f'protocol = "clearinghouse"\naddress = "{self.at.house}"\nunknown_oracles = "act"\n{own}'

    def send(self, *txs: Tx) -> None:
        send_batch(self.anvil.rpc, list(txs), self.at.errors)

    def tried(self, *txs: Tx) -> bool:
        """Whether it went through; what the house refuses is no fault of the test's."""
        try:
            self.send(*txs)
        except TransactionFailedError:
            return False
        return True

    def account(self, key: int, dollars: int = 0, ether: int = 0) -> int:
        """A new account of a key's with whole dollars and whole ether."""
        who, number = act.address_of(key), account_count(self.anvil.rpc, self.at)
        steps = [act.open_account(self.at, who)]
        if dollars:
            steps += act.deposit_cash(self.at, who, number, dollars)
        if ether:
            steps += act.deposit_ether(self.at, who, number, ether * 10**18)
        self.send(*steps)
        return number

    def trade(self, account: int, instrument: int, size: int, price: int, key: int = TRADER) -> Tx:
        """A trade with the maker: `size` with its sign, in nine decimals."""
        self.nonce += 1
        mine, other = (key, account), (MAKER, self.maker)
        buyer, seller = (mine, other) if size > 0 else (other, mine)
        return act.trade(self.at, self.chain_id, buyer, seller, instrument, abs(size), price, self.nonce)

    def mark(self, instrument: int) -> int:
        return view_int(self.anvil.rpc, self.at.markets, "markOf(uint32)", instrument)

    def open(self, dice: random.Random, count: int) -> list[str]:
        found = [] if self.opened else [account_key(str(each)) for each in (self.own, self.maker)]
        for _ in range(count):
            dollars = dice.choice([0, dice.randint(100, 5_000), dice.randint(5_000, 200_000)])
            ether = dice.randint(1, 40) if not dollars or dice.random() < 0.4 else 0
            number = self.account(TRADER, dollars, ether)
            for instrument in dice.sample(sorted(self.at.instruments.values()), dice.randint(0, 5)):
                self.deal(dice, number, instrument, dollars + ether * self.prices["ETH"])
            self.opened.append(number)
            found.append(account_key(str(number)))
        return found

    def deal(self, dice: random.Random, account: int, instrument: int, worth: int) -> None:
        """A position of up to some three times what the account has, where its margin allows it."""
        price = max(self.mark(instrument), UNIT)
        under = self.prices["BTC" if self.name(instrument).startswith("BTC") else "ETH"]
        size = int(dice.uniform(-3, 3) * worth / under * UNIT) or UNIT
        self.tried(self.trade(account, instrument, size, price * dice.randint(990, 1_010) // 1_000))

    def name(self, instrument: int) -> str:
        return next(name for name, each in self.at.instruments.items() if each == instrument)

    def stir(self, dice: random.Random) -> None:
        self.anvil.increase_time(dice.choice([1, 13, 3_600, DAY]))
        self.anvil.mine()
        for symbol, price in self.prices.items():
            self.prices[symbol] = max(price * dice.randint(930, 1_075) // 1_000, 100)
        self.send(*self.hold())
        if dice.random() < 0.3:
            money, skew = dice.randint(40, 160) * 10**16, dice.randint(-50, 50) * 10**16
            self.send(act.set_volatility(self.at, money, skew))
        for account in dice.sample(self.opened, min(4, len(self.opened))):
            self.one(dice, account)

    def one(self, dice: random.Random, account: int) -> None:
        """Something that happens to an account."""
        at, who, some = self.at, act.address_of(TRADER), dice.randint(1, 3_000)
        instrument = dice.choice(sorted(at.instruments.values()))
        steps: dict[str, Callable[[], object]] = {
            "trade": lambda: self.deal(dice, account, instrument, 3_000),
            "cash": lambda: self.send(*act.deposit_cash(at, who, account, some)),
            "ether": lambda: self.send(*act.deposit_ether(at, who, account, some * 10**15)),
            "borrow": lambda: self.tried(act.withdraw_cash(at, who, account, some * 10**6)),
            "out": lambda: self.tried(act.withdraw_ether(at, who, account, some * 10**15)),
            "realize": lambda: self.tried(act.realize(at, who, account)),
            "call": lambda: self.tried(act.margin_call(at, who, account, self.worst(account))),
            "liquidate": lambda: self.tried(self.liquidation(dice, account)),
            "accrue": lambda: self.send(call_of(who, at.markets, "accrue(uint8)", 0)),
            "observe": lambda: self.tried(self.observation()),
        }
        steps[dice.choice(list(steps))]()

    def observation(self) -> Tx:
        who = act.address_of(TRADER)
        return call_of(who, self.at.options, "observe(uint8,uint40)", 0, self.at.expiry)

    def worst(self, account: int) -> int:
        """The account's worst scenario of the maintenance set."""
        signature = "worst(uint256,bool)"
        return view_int(self.anvil.rpc, self.at.house, signature, account, False, word=2)

    def liquidation(self, dice: random.Random, account: int) -> Tx:
        share = dice.randint(1, 10) * 10**17
        return act.liquidate(self.at, act.address_of(MAKER), account, self.worst(account), share, self.maker)

    def scenes(self) -> dict[str, Scene]:
        sold: list[int] = []

        def breaking(instrument: str, size: int, dollars: int, moved: int) -> Scene:
            def play() -> None:
                self.priced(2_000)
                number = self.account(TRADER, dollars)
                sold.append(number)
                code = self.at.instruments[instrument]
                price = max(self.mark(code), UNIT)
                self.send(self.trade(number, code, size * UNIT, price))
                self.opened.append(number)
                self.priced(moved)

            return Scene(play, is_liquidatable(lambda: account_key(str(sold[-1]))))

        def hedged() -> None:
            """A call sold against a long: alone either would break."""
            self.priced(2_000)
            number = self.account(TRADER, 4_000)
            sold.append(number)
            self.send(self.trade(number, self.at.instruments["ETH"], 4 * UNIT, self.mark(0)))
            code = self.at.instruments["ETH-2000-C"]
            self.send(self.trade(number, code, -4 * UNIT, self.mark(code)))
            self.opened.append(number)
            self.priced(2_500)

        def is_hedged(market: Market, now: int) -> bool:
            return not is_liquidatable(lambda: account_key(str(sold[-1])))(market, now)

        def expired() -> None:
            left = self.at.expiry - 1_500 - self.now()
            if left > 0:
                self.anvil.increase_time(left)
                self.anvil.mine()
            for _ in range(8):
                self.send(*self.hold())
                self.tried(self.observation())
                self.anvil.increase_time(150)
            self.send(*self.hold())

        def is_averaged(market: Market, now: int) -> bool:
            return any(0 < each.average.last < each.time for each in market.book.state.expiries)

        def settled() -> None:
            who = act.address_of(TRADER)
            for _ in range(4):
                self.anvil.increase_time(120)
                self.send(*self.hold())
                self.tried(self.observation())
            self.tried(call_of(who, self.at.options, "settle(uint8,uint40)", 0, self.at.expiry))

        def is_past(market: Market, now: int) -> bool:
            return now >= self.at.expiry

        return {
            "a long breaks as the price falls": breaking("ETH", 10, 5_100, 1_780),
            "a short breaks as the price rises": breaking("ETH", -10, 5_100, 2_220),
            "a call's seller breaks as the price rises": breaking("ETH-2000-C", -10, 6_000, 2_600),
            "a hedge survives": Scene(hedged, is_hedged),
            "in the averaging window": Scene(expired, is_averaged),
            "past the expiry": Scene(settled, is_past),
        }

    def now(self) -> int:
        head = self.anvil.rpc.call("eth_getBlockByNumber", "latest", False)
        assert isinstance(head, dict)
        return int(as_str(head["timestamp"]), 16)

    def priced(self, dollars: int) -> None:
        """Index and last match come to a price, and the average follows."""
        self.prices["ETH"] = dollars
        self.send(*self.hold())
        self.tried(self.trade(self.own, 0, 1, dollars * UNIT, SIGNER))
        self.anvil.increase_time(4_000)
        self.send(*self.hold())

    def near(self, owner: str) -> str:
        """A thousand dollars more than ten ether long must have to be opened."""
        number = self.account(SIGNER + 1 if owner.isdecimal() else TRADER, 5_000)
        key = SIGNER + 1 if owner.isdecimal() else TRADER
        self.send(self.trade(number, self.at.instruments["ETH"], 10 * UNIT, self.mark(0), key))
        self.opened.append(number)
        return account_key(str(number))

    def fall(self) -> list[Tx]:
        self.prices["ETH"] = self.prices["ETH"] * 80 // 100
        return self.hold()

    def hold(self) -> list[Tx]:
        return [
            *(act.set_price(self.at, symbol, price) for symbol, price in self.prices.items()),
            act.set_volatility(self.at, 8 * 10**17),
        ]

    def refresh(self) -> list[Tx]:
        return self.hold()

    def fund(self, payer: str) -> list[Tx]:
        return [call_of(payer, self.at.dollars, "mint(address,uint256)", payer, 10**13)]

    def tokens(self) -> dict[str, Token]:
        return {"USDC": Token(self.at.dollars.lower(), 6, 10**8)}

    def protect(self, owner: str, action: str = "add_collateral") -> str:
        return protection(owner, "add_collateral", "USDC")

    def closings(self) -> dict[str, Closing]:
        return {}
