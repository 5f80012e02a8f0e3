"""Four lending protocols on one chain, with the same tokens: one ether price moves all of them in one block.

Aave 3.6, Morpho Blue and Mezo's trove system are the real contracts; Compound v3 is our stand-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.localchain import aave_actions as act
from keeper.localchain import aave_v36, morpho_blue, troves
from keeper.localchain import comet_standin as comet
from keeper.localchain.aave_market import AaveDeployment, demo_market
from keeper.localchain.anvil import ACCOUNTS, Anvil
from keeper.localchain.comet_standin import CollateralSpec, CometSpec, CometStandIn
from keeper.localchain.liquidator import tokens_of
from keeper.localchain.morpho_blue import MorphoDeployment, PairSpec, TokenSpec
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.troves import TroveDeployment
from keeper.localchain.uniswap_v3 import Token
from keeper.model.money import WAD

PERCENT = WAD // 100
LENDER = ACCOUNTS[1]
FIRST_PRICE = 2500 * 10**8
PROTOCOLS = MappingProxyType(
    {"aave": "aave-v3", "morpho": "morpho-blue", "troves": "liquity", "comet": "compound-v3"}
)
"""Protocols of the markets, by the names they have in the keeper's configuration here."""
THRESHOLDS = MappingProxyType(
    {"aave": 83 * PERCENT, "morpho": 86 * PERCENT, "troves": WAD * 100 // 110, "comet": 90 * PERCENT}
)
"""The share of ether's value that may be owed before anyone may liquidate, 1e18."""
_LENT = 10**8
_SYSTEM_COINS = 100_000


@dataclass(frozen=True)
class FourMarkets:
    """The four markets."""

    anvil: Anvil
    aave: AaveDeployment
    morpho: MorphoDeployment
    comet: CometStandIn
    troves: TroveDeployment

    @property
    def addresses(self) -> Mapping[str, str]:
        """The address that the configuration names, by market."""
        return {
            "aave": self.aave.pool,
            "morpho": self.morpho.morpho,
            "troves": self.troves.trove_manager,
            "comet": self.comet.comet,
        }

    def token(self, symbol: str) -> str:
        return self.aave.reserves[symbol].asset

    def tokens(self, ether: int) -> dict[str, Token]:
        """The tokens that exchanges trade, with ether at this price (8 decimals)."""
        prices = {spec.symbol: spec.price for spec in demo_market()[0]}
        return tokens_of(self.aave, {**prices, "WETH": ether})

    def mint(self, symbol: str, who: str, amount: int) -> Tx:
        return act.mint(self.aave, self.aave.reserves[symbol], who, amount)

    def moved(self, ether: int) -> list[Tx]:
        """Set ether's price (8 decimals) in all markets; the troves' feed gets a new round by it."""
        [pair] = self.morpho.pairs
        oracle = morpho_blue.oracle_price(TokenSpec("USDC", 6, 10**8), TokenSpec("WETH", 18, ether))
        return [
            act.set_price(self.aave, self.aave.reserves["WETH"], ether),
            morpho_blue.set_price(self.morpho, pair, oracle),
            self.held(ether),
        ]

    def held(self, ether: int) -> Tx:
        """A new round of the troves' feed, which must stay fresh, at this price (8 decimals)."""
        return troves.set_price(self.troves, ether)

    def open(
        self,
        market: str,
        who: str,
        ether: int,
        part: int,
        hints: tuple[str, str] = (ZERO_ADDRESS, ZERO_ADDRESS),
    ) -> list[Tx]:
        """Open an account with `ether` wei of collateral that owes `part` (1e18) of the debt at which it
        would be liquidatable. `hints`: its neighbours in the list of troves."""
        worth = ether * FIRST_PRICE * THRESHOLDS[market] // WAD * part // WAD
        opening: Mapping[str, Callable[[], list[Tx]]] = {
            "aave": lambda: self._in_aave(who, ether, worth // 10**20),
            "morpho": lambda: self._in_morpho(who, ether, worth // 10**20),
            "comet": lambda: self._in_comet(who, ether, worth // 10**20),
            "troves": lambda: self._in_troves(who, ether, worth // 10**8, hints),
        }
        return opening[market]()

    def _in_aave(self, who: str, ether: int, dollars: int) -> list[Tx]:
        reserves = self.aave.reserves
        supplied = act.mint_and_supply(self.aave, reserves["WETH"], who, ether)
        return [*supplied, act.borrow(self.aave, reserves["USDC"], who, dollars)]

    def _in_morpho(self, who: str, ether: int, dollars: int) -> list[Tx]:
        [pair] = self.morpho.pairs
        return [
            self.mint("WETH", who, ether),
            morpho_blue.approve(who, pair.collateral, self.morpho.morpho, ether),
            morpho_blue.supply_collateral(self.morpho, pair, who, ether),
            morpho_blue.borrow(self.morpho, pair, who, dollars),
        ]

    def _in_comet(self, who: str, ether: int, dollars: int) -> list[Tx]:
        return [
            *self._supplied_to_comet(who, "WETH", ether),
            comet.withdraw(self.comet, who, "USDC", dollars),
        ]

    def _supplied_to_comet(self, who: str, symbol: str, amount: int) -> list[Tx]:
        return [self.mint(symbol, who, amount), *comet.supply(self.comet, who, symbol, amount)]

    def _in_troves(self, who: str, ether: int, debt: int, hints: tuple[str, str]) -> list[Tx]:
        self.anvil.set_balance(who, 2 * ether + 10**18)
        # The fee and the gas compensation come on top of what is drawn.
        drawn = (debt - 200 * WAD) * 1000 // 1001
        return [troves.open_trove(self.troves, who, ether, drawn, hints)]

    def lend(self) -> None:
        """Supply what borrowers borrow, and bring the trove system far above its critical ratio."""
        rpc, [pair] = self.anvil.rpc, self.morpho.pairs
        dollars = _LENT * 10**6
        self.anvil.set_balance(LENDER, 2 * _SYSTEM_COINS * WAD)
        txs = [
            *act.mint_and_supply(self.aave, self.aave.reserves["USDC"], LENDER, dollars),
            *act.mint_and_supply(self.aave, self.aave.reserves["WETH"], LENDER, _LENT // 2500 * WAD),
            self.mint("USDC", LENDER, dollars),
            morpho_blue.approve(LENDER, pair.loan, self.morpho.morpho, dollars),
            morpho_blue.supply(self.morpho, pair, LENDER, dollars),
            *self._supplied_to_comet(LENDER, "USDC", dollars),
            self.held(FIRST_PRICE),
            troves.open_trove(self.troves, LENDER, _SYSTEM_COINS * WAD, 20_000_000 * WAD),
            *troves.provide(self.troves, LENDER, 15_000_000 * WAD),
        ]
        send_batch(rpc, txs, self.aave.errors)


def deploy(anvil: Anvil) -> FourMarkets:
    """Deploy all four markets, with lenders and without borrowers."""
    rpc = anvil.rpc
    aave = aave_v36.deploy(rpc, *demo_market())
    tokens = {symbol: each.asset for symbol, each in aave.reserves.items()}
    feeds = {symbol: each.feed for symbol, each in aave.reserves.items()}
    dollar, ether = TokenSpec("USDC", 6, 10**8), TokenSpec("WETH", 18, FIRST_PRICE)
    pair = PairSpec("USDC", "WETH", THRESHOLDS["morpho"])
    collateral = CollateralSpec("WETH", 18, FIRST_PRICE, 86 * PERCENT, THRESHOLDS["comet"], 95 * PERCENT)
    spec = CometSpec("USDC", 6, 10**8, [collateral], target_reserves=10**15)
    markets = FourMarkets(
        anvil,
        aave,
        morpho_blue.deploy(rpc, [dollar, ether], [pair], existing=tokens),
        comet.deploy(rpc, spec, existing=tokens, existing_feeds=feeds),
        troves.deploy(rpc, FIRST_PRICE),
    )
    markets.lend()
    return markets


def settings(markets: FourMarkets, names: Sequence[str] = tuple(PROTOCOLS)) -> str:
    """The [markets.*] sections of a keeper's configuration for these markets."""
    return "\n".join(
        f'[markets.{name}]\nprotocol = "{PROTOCOLS[name]}"\nchain = "local"\n'
        f'address = "{markets.addresses[name]}"\n' + ('unknown_oracles = "act"\n' if name == "morpho" else "")
        # Morpho's oracle here names no feed and has no second source: an operator would have to allow it.
        for name in names
    )
