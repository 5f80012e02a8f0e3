"""Options of Lyra Avalon for the conformance suite: two boards, all kinds of positions of one trader."""

from __future__ import annotations

import random

from eth_account import Account

from keeper.localchain import lyra_avalon_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.lyra_avalon import deploy
from keeper.localchain.lyra_avalon_market import AvalonOption, AvalonSpec, LocalStrike
from keeper.localchain.lyra_avalon_parameters import WAD, LiquidationPenalty
from keeper.localchain.transactions import TransactionFailedError, Tx
from keeper.localchain.uniswap_v3 import Token
from keeper.model.account_key import account_key
from keeper.service.markets import Market
from tests.conformance.case import Closing, Scene, is_liquidatable, protection
from tests.support.avalon_exchange import BOARDS, AvalonExchange
from tests.support.keeping import KEY
from tests.support.views import view_int

TRADER, OTHER = ACCOUNTS[1:3]
PAYER = str(Account.from_key(KEY).address)
# A least fee that pays for the gas.
SPEC = AvalonSpec(penalty=LiquidationPenalty(minimum=500 * WAD))
WEEK = 7 * 86_400


class AvalonCase:
    target = 125 * WAD // 100
    owner = "1"
    """The number of the first position."""
    oracle = "sETH"
    by_contract_only = False
    lag = 0
    chain = "native_price = 2000"

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.at = AvalonExchange(anvil, deploy(anvil.rpc, BOARDS, SPEC))
        self.at.fund(TRADER, dollars=10_000_000, ether=10_000)
        self.spot = 2_000
        self.opened: list[int] = []
        anvil.set_balance(PAYER, 10**20)

    def toml(self) -> str:
        return f'protocol = "lyra-avalon"\naddress = "{self.at.system.market}"\nunknown_oracles = "act"'

    def open(self, dice: random.Random, count: int) -> list[str]:
        found: list[str] = []
        for _ in range(20 * count):
            if len(found) == count:
                break
            kind = dice.choice(list(AvalonOption))
            strike = dice.choice([s for board in self.at.system.boards for s in board.strikes])
            amount = dice.randint(WAD // 100, 3 * WAD)
            dollars = kind in (AvalonOption.SHORT_CALL_QUOTE, AvalonOption.SHORT_PUT_QUOTE)
            full = 2_600 * amount if dollars else amount
            put = full * dice.randint(40, 100) // 100 if kind >= AvalonOption.SHORT_CALL_BASE else 0
            number = view_int(self.anvil.rpc, self.at.system.token, "nextId()")
            if self.tried(act.open_position(self.at.system, TRADER, strike, kind, amount, put)):
                self.opened.append(number)
                found.append(account_key(str(number)))
        assert len(found) == count, "the market refuses too many"
        return found

    def tried(self, *txs: Tx) -> bool:
        """Whether it went through; what the market refuses is no fault of the test's."""
        try:
            self.at.send(*txs)
        except TransactionFailedError:
            return False
        return True

    def stir(self, dice: random.Random) -> None:
        self.anvil.increase_time(dice.choice([1, 13, 3_600, WEEK // 3]))
        self.anvil.mine()
        self.spot = min(max(self.spot * dice.randint(930, 1075) // 1000, 900), 4_000)
        self.at.set_spot(self.spot)
        system = self.at.system
        for number in dice.sample(self.opened, min(5, len(self.opened))):
            held, some = self.at.position(number), dice.randint(1, WAD)
            strike = next(
                (s for b in system.boards for s in b.strikes if s.id == held.strike), self.at.strike
            )
            steps: dict[str, list[Tx]] = {
                "liquidate": [act.liquidate_position(system, OTHER, number)],
                "add": [act.add_collateral(system, TRADER, number, some)],
                "close": [act.close_position(system, TRADER, strike, held.kind, number, held.amount)],
                "force": [act.force_close(system, TRADER, strike, held.kind, number, held.amount)],
                "split": [
                    act.split_position(system, TRADER, number, held.amount // 2, held.collateral // 2, OTHER)
                ],
                "transfer": [act.transfer_position(system, TRADER, OTHER, number)],
                "greeks": [act.update_greeks(system, OTHER, board) for board in system.boards],
                "settle": [act.settle_board(system, OTHER, board) for board in system.boards],
                "pay": [act.settle_options(system, OTHER, [number])],
            }
            self.tried(*steps[dice.choice(list(steps))])

    def scenes(self) -> dict[str, Scene]:
        at = self.at
        board = at.board if at.now() < at.board.expiry - WEEK else at.system.boards[-1]
        sold: list[str] = []

        def breaking(kind: AvalonOption, spot: int) -> Scene:
            def play() -> None:
                self.spotted(2_000)
                sold.append(self.sell(kind, board.strikes[1]))
                self.spotted(spot)

            return Scene(play, is_liquidatable(lambda: sold[-1]))

        def expired() -> None:
            at.wait(board.expiry - at.now())
            self.spotted(2_000)

        def is_past(market: Market, now: int) -> bool:
            options = market.book.accounts.values()
            return any(each.active and each.expiry <= now for each in options)

        def is_settled(market: Market, now: int) -> bool:
            return is_past(market, now) and board.id in market.book.state.care.settled

        return {
            "a put breaks as the price falls": breaking(AvalonOption.SHORT_PUT_QUOTE, 1_900),
            "a call breaks as the price rises": breaking(AvalonOption.SHORT_CALL_QUOTE, 2_100),
            "a board is past its expiry": Scene(expired, is_past),
            "it is settled, its positions are not": Scene(
                lambda: at.send(act.settle_board(at.system, OTHER, board)), is_settled
            ),
        }

    def spotted(self, dollars: int) -> None:
        self.spot = dollars
        self.at.set_spot(dollars)

    def near(self, owner: str) -> str:
        return self.sell(AvalonOption.SHORT_PUT_QUOTE, self.at.strike)

    def sell(self, kind: AvalonOption, strike: LocalStrike) -> str:
        """One option sold for dollars with a fiftieth more than it must have."""
        number = view_int(self.anvil.rpc, self.at.system.token, "nextId()")
        self.at.send(act.open_position(self.at.system, TRADER, strike, kind, WAD, 1_500 * WAD))
        enough = self.at.minimum(number) * 102 // 100
        self.at.send(act.open_position(self.at.system, TRADER, strike, kind, 0, enough, number))
        return account_key(str(number))

    def fall(self) -> list[Tx]:
        self.spot = self.spot * 97 // 100
        return self.hold()

    def hold(self) -> list[Tx]:
        return [act.set_spot(self.at.system, self.spot * WAD)]

    def refresh(self) -> list[Tx]:
        return self.hold()

    def fund(self, payer: str) -> list[Tx]:
        return act.mint_and_approve(self.at.system, payer, 10**6 * WAD)[:1]

    def tokens(self) -> dict[str, Token]:
        return {"sUSD": Token(self.at.system.quote.lower(), 18, 10**8)}

    def protect(self, owner: str, action: str = "add_collateral") -> str:
        return protection(owner, action, "sUSD")

    def closings(self) -> dict[str, Closing]:
        return {}
