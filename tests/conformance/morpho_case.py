"""Morpho Blue for the conformance suite: three markets of one singleton."""

from __future__ import annotations

import random

from keeper.localchain import morpho_blue as morpho
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.calldata import calldata
from keeper.localchain.deployer import Deployer
from keeper.localchain.morpho_blue import LocalPair, MorphoDeployment, PairSpec, TokenSpec
from keeper.localchain.solc import artifacts
from keeper.localchain.tokens import PRICE_STANDINS, create_feed
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.uniswap_v3 import Token
from keeper.protocols.morpho_blue.positions import key
from tests.conformance.case import Closing, Scene, protection

WAD = 10**18
LENDER = ACCOUNTS[1]
TOKENS = [
    TokenSpec("WETH", 18, 2500 * 10**8),
    TokenSpec("WBTC", 8, 60_000 * 10**8),
    TokenSpec("USDC", 6, 10**8),
    TokenSpec("DAI", 18, 10**8),
]
PAIRS = [
    PairSpec("USDC", "WETH", 86 * WAD // 100),
    PairSpec("DAI", "WBTC", 77 * WAD // 100),
    PairSpec("WETH", "WBTC", 915 * WAD // 1000),
]


def mint(token: str, who: str, amount: int) -> Tx:
    return {"from": ACCOUNTS[0], "to": token, "data": calldata("mint(address,uint256)", who, amount)}


class MorphoCase:
    target = 125 * WAD // 100
    owner = "0x" + "a1" * 20
    by_contract_only = False
    lag = 0
    chain = ""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.at: MorphoDeployment = morpho.deploy(anvil.rpc, TOKENS, PAIRS)
        self.specs = {each.symbol: each for each in TOKENS}
        self.by_token = {self.at.tokens[each.symbol]: each for each in TOKENS}
        self.prices = {
            pair.id: morpho.oracle_price(self.by_token[pair.loan], self.by_token[pair.collateral])
            for pair in self.at.pairs
        }
        self.opened: list[tuple[LocalPair, str]] = []
        self.oracle = self.at.pairs[0].id
        self.feed = self._rest_on_a_feed()
        txs: list[Tx] = []
        for pair in self.at.pairs:
            amount = (
                10_000_000 * 10**8 * 10 ** self.by_token[pair.loan].decimals // self.by_token[pair.loan].price
            )
            txs += [
                mint(pair.loan, LENDER, amount),
                morpho.approve(LENDER, pair.loan, self.at.morpho, amount),
                morpho.supply(self.at, pair, LENDER, amount),
            ]
        send_batch(anvil.rpc, txs)

    def _rest_on_a_feed(self) -> str:
        """The first pair's oracle now names a feed, as Morpho's Chainlink oracle does."""
        queue = Deployer(self.anvil.rpc, ACCOUNTS[0])
        feed = create_feed(queue, 2500 * 10**8)
        code = queue.create(artifacts(PRICE_STANDINS)["MorphoOracleStandIn"])
        queue.flush()
        oracle = self.at.pairs[0].oracle
        runtime = self.anvil.rpc.text("eth_getCode", code, "latest")
        self.anvil.set_code(oracle, bytes.fromhex(runtime[2:]))
        self.anvil.set_storage_at(oracle, 1, int(feed, 16))
        send_batch(self.anvil.rpc, [morpho.set_price(self.at, self.at.pairs[0], self.prices[self.oracle])])
        return feed

    def _price(self, pair: LocalPair) -> list[Tx]:
        """The pair's present price, in a new round where it rests on a feed."""
        txs = [morpho.set_price(self.at, pair, self.prices[pair.id])]
        if pair.id == self.oracle:
            answer = calldata("updateAnswer(int256)", self.prices[pair.id] * 10**8 // 10**24)
            txs.append({"from": ACCOUNTS[0], "to": self.feed, "data": answer})
        return txs

    def toml(self) -> str:
        own = 'morpho_blue.loan_prices = { WETH = "2500" }'
        return f'protocol = "morpho-blue"\naddress = "{self.at.morpho}"\n{own}'

    def _position(self, pair: LocalPair, who: str, dollars: int, ratio: float) -> list[Tx]:
        """Collateral for so many dollars, and debt at this part of what it may carry."""
        collateral = self.by_token[pair.collateral]
        amount = dollars * 10**8 * 10**collateral.decimals // collateral.price
        power = amount * self.prices[pair.id] // 10**36 * pair.lltv // WAD
        return [
            mint(pair.collateral, who, amount),
            morpho.approve(who, pair.collateral, self.at.morpho, 0),
            morpho.approve(who, pair.collateral, self.at.morpho, amount),
            morpho.supply_collateral(self.at, pair, who, amount),
            *([morpho.borrow(self.at, pair, who, int(power * ratio))] if ratio else []),
        ]

    def open(self, dice: random.Random, count: int) -> list[str]:
        txs: list[Tx] = []
        keys = []
        for _ in range(count):
            who = f"0x{dice.getrandbits(150):040x}"
            pair = dice.choice(self.at.pairs)
            ratio = dice.choice([0.0, dice.uniform(0.01, 0.6), dice.uniform(0.6, 0.97)])
            txs += self._position(pair, who, dice.choice([1, 50, 3_000, 80_000]), ratio)
            self.opened.append((pair, who))
            keys.append(key(who, pair.id))
        send_batch(self.anvil.rpc, txs)
        return keys

    def stir(self, dice: random.Random) -> None:
        txs: list[Tx] = []
        for pair in self.at.pairs:
            self.prices[pair.id] = int(self.prices[pair.id] * dice.uniform(0.93, 1.06))
            txs += self._price(pair)
            if dice.random() < 0.5:
                txs.append(morpho.accrue(self.at, pair, LENDER))
        for pair, who in dice.sample(self.opened, min(4, len(self.opened))):
            amount = dice.randrange(1, 10**4)
            txs += [
                mint(pair.collateral, who, amount),
                morpho.approve(who, pair.collateral, self.at.morpho, 0),
                morpho.approve(who, pair.collateral, self.at.morpho, amount),
                morpho.supply_collateral(self.at, pair, who, amount),
            ]
        send_batch(self.anvil.rpc, txs)
        self.anvil.increase_time(dice.choice([1, 13, 3_600, 5_000_000]))
        self.anvil.mine()

    def position_in(self, pair: LocalPair, who: str) -> list[str]:
        """A healthy position in this pair; its key."""
        send_batch(self.anvil.rpc, self._position(pair, who, 20_000, 0.5))
        return [key(who, pair.id)]

    def scenes(self) -> dict[str, Scene]:
        return {}

    def near(self, owner: str) -> str:
        pair = self.at.pairs[0]
        send_batch(self.anvil.rpc, self._position(pair, owner, 20_000, 0.97))
        self.opened.append((pair, owner))
        return key(owner, pair.id)

    def fall(self) -> list[Tx]:
        pair = self.at.pairs[0]
        self.prices[pair.id] = self.prices[pair.id] * 93 // 100
        return self._price(pair)

    def refresh(self) -> list[Tx]:
        return self._price(self.at.pairs[0])

    def hold(self) -> list[Tx]:
        return []

    def fund(self, payer: str) -> list[Tx]:
        pair = self.at.pairs[0]
        return [mint(pair.loan, payer, 10**12), mint(pair.collateral, payer, 10**21)]

    def tokens(self) -> dict[str, Token]:
        pair = self.at.pairs[0]
        ether = self.prices[pair.id] * 10**8 // 10**24
        prices = {"WETH": ether, "WBTC": 60_000 * 10**8, "USDC": 10**8, "DAI": 10**8}
        return {
            spec.symbol: Token(self.at.tokens[spec.symbol].lower(), spec.decimals, prices[spec.symbol])
            for spec in TOKENS
        }

    def protect(self, owner: str, action: str = "repay") -> str:
        return protection(owner, action, "USDC" if action == "repay" else "WETH")

    def closings(self) -> dict[str, Closing]:
        return {}
