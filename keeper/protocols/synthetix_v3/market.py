"""A Synthetix v3 perps market behind the keeper's interface. Money has 18 decimals, accounts are numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

from keeper.book.entries import Entries
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import symbol
from keeper.config import MarketSettings
from keeper.config.policy import Action, Step
from keeper.margin.lending.weights import Weights
from keeper.margin.rounding import WAD
from keeper.model.cure import CureRequest
from keeper.model.grant import NOTHING
from keeper.model.offer import Asset, Offer
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Explanation, Valuation
from keeper.oracles.pull.service import WantedPrice
from keeper.protocols.adapter import Adapter
from keeper.protocols.cures import Cure
from keeper.protocols.event_table import EventTable, topic
from keeper.protocols.lenses import LensContract
from keeper.protocols.roles.market import PricedAsset
from keeper.protocols.roles.optional import PulledPricing
from keeper.protocols.synthetix_v3 import (
    explaining,
    planning,
    records,
    reducing,
    rights,
    screening,
    upkeep,
    valuing,
)
from keeper.protocols.synthetix_v3.lens import DOLLAR, PerpsState, read_state
from keeper.protocols.synthetix_v3.records import PerpsAccount
from keeper.protocols.synthetix_v3.settings import SynthetixV3Settings

_SIGNED = frozenset({0, 5})


class PerpsMarket(Adapter[PerpsState, PerpsAccount], PulledPricing[PerpsState]):
    """One perps market with all its markets and accounts."""

    protocol = "synthetix-v3"
    called = (
        planning.LIQUIDATE,
        planning.LIQUIDATE_MARGIN,
        planning.LIQUIDATE_FLAGGED,
        planning.PAY_DEBT,
        planning.DEPOSIT,
        reducing.COMMIT,
        upkeep.SETTLE,
        upkeep.CANCEL,
    )
    view_words, scale = 9, 18
    needs_capital = False
    # Debt is charged and cleared, and an order dropped, only together with these.
    heard = EventTable(
        {
            topic("CollateralModified(uint128,uint128,int256,address)"): (1,),
            topic("DebtPaid(uint128,uint256,address)"): (1,),
            topic("InterestCharged(uint128,uint256)"): (1,),
            topic(
                "OrderCommitted(uint128,uint128,uint8,int128,uint256,uint256,uint256,uint256,uint256,"
                "bytes32,address)"
            ): (2,),
            topic("PreviousOrderExpired(uint128,uint128,int128,uint256,uint256,bytes32)"): (2,),
            topic("OrderCancelled(uint128,uint128,uint256,uint256,int128,uint256,bytes32,address)"): (2,),
            topic(
                "OrderSettled(uint128,uint128,uint256,int256,int256,int128,int128,uint256,uint256,uint256,"
                "uint256,bytes32,address)"
            ): (2,),
            topic("AccountFlaggedForLiquidation(uint128,int256,uint256,uint256,uint256)"): (1,),
            topic("PositionLiquidated(uint128,uint128,uint256,int128)"): (1,),
            topic("AccountLiquidationAttempt(uint128,uint256,bool)"): (1,),
            topic("AccountMarginLiquidation(uint128,uint256,uint256)"): (1,),
        },
        key_bytes=16,
    )
    what = "a Synthetix v3 perps market"
    remedy = "Name the perps market's proxy; its nodes must take state overrides"

    def __init__(
        self, name: str, address: str, from_block: int, own: SynthetixV3Settings | None = None
    ) -> None:
        super().__init__(name, address, from_block)
        self.own = own or SynthetixV3Settings()
        # Laid over the market's own proxy: only there it reads the market's storage.
        self.lens = LensContract(
            "SynthetixV3Lens",
            address.lower(),
            in_place=True,
            behind=self.own.price_service is not None,
        )
        self.screener = self.pulled = self
        self.upkeep = upkeep.OrderUpkeep(self.contract, self.lens, self.own.price_carrier)
        self._places = screening.places()
        self.grant = self.own.grant or ""

    @classmethod
    def of(cls, name: str, settings: MarketSettings, *, is_local: bool = False) -> Self:
        return cls(name, settings.address, settings.from_block, settings.own_as(SynthetixV3Settings))

    # Copying.

    read_state = staticmethod(read_state)
    record_length = staticmethod(records.length)
    decode = staticmethod(records.decode)

    def entries(self, found: Sequence[bytes]) -> Entries:
        return screening.entries(found, self._places)

    def weights(self, state: PerpsState, timestamp: int, factors: Sequence[int]) -> Weights:
        return screening.weights(state, timestamp, factors, self._places)

    def factor_assets(self, state: PerpsState, factors: Sequence[int]) -> list[str]:
        markets = [self._places.market(factor) for factor in factors]
        return [state.dollar.lower() if market is None else reducing.of_perp(market) for market in markets]

    def counted(self, raw: PerpsAccount) -> Mapping[str, int]:
        found = {"debt": raw.debt}
        found |= {f"collateral {identity}": amount for identity, amount in raw.collaterals}
        for each in raw.positions:
            found |= {f"size of {each.market}": abs(each.size), f"skew of {each.market}": each.size}
        return found

    def totals(self, state: PerpsState) -> Mapping[str, int]:
        found = {"debt": state.debt}
        found |= {f"collateral {each.id}": each.amount for each in state.synths.values()}
        for each in state.perps.values():
            found |= {f"size of {each.id}": each.size, f"skew of {each.id}": each.funding.skew}
        return found

    def view_call(self, account: str) -> Call:
        return self.lens.call("valued(address,uint128)", self.contract, planning.number(account))

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        signed = [_signed(word) if place in _SIGNED else word for place, word in enumerate(view)]
        equity, initial, maintenance, reward, collateral, pnl, debt, may_flag, may_seize = signed
        due = bool(may_flag or may_seize)
        return valuing.valuation(account, equity, initial, maintenance, reward, collateral, pnl, debt, due)

    # Valuing.

    def revision(self, state: PerpsState) -> int:
        return 3

    def version(self, state: PerpsState) -> str | None:
        return "3.13.0"

    def value(
        self, state: PerpsState, accounts: Mapping[str, PerpsAccount], timestamp: int
    ) -> list[Valuation]:
        now = valuing.accrued(state, timestamp)
        return [valuing.valued(state, account, raw, now) for account, raw in accounts.items()]

    def valued(self, state: PerpsState, account: str, raw: PerpsAccount, timestamp: int) -> Valuation:
        return valuing.valued(state, account, raw, valuing.accrued(state, timestamp))

    def priced_assets(self, state: PerpsState) -> list[PricedAsset]:
        return [
            *(
                PricedAsset(
                    reducing.of_perp(each.id),
                    each.price,
                    self.lens.call("sourceOf(bytes32)", each.feed),
                    self.lens.call("symbolOf(address,uint128)", self.contract, each.id),
                    pulled=each.freshness.feed,
                )
                for each in state.perps.values()
            ),
            *(
                PricedAsset(
                    each.token,
                    each.price,
                    self.lens.call("sourceOfSynth(uint128)", each.id),
                    symbol(each.token),
                    pulled=each.freshness.feed,
                )
                for each in state.synths.values()
                if each.id != DOLLAR
            ),
        ]

    def price_dependencies(self, state: PerpsState, raw: PerpsAccount) -> frozenset[str]:
        held = {state.synths[identity].token for identity, _ in raw.collaterals if identity != DOLLAR}
        return frozenset(held | {reducing.of_perp(each.market) for each in raw.positions})

    def indices(self, state: PerpsState, timestamp: int) -> dict[str, dict[str, int]]:
        now = valuing.accrued(state, timestamp)
        funding = {reducing.of_perp(identity): {"funding": value} for identity, value in now.funding.items()}
        return {**funding, state.dollar.lower(): {"interest": now.interest}}

    def market_warnings(self, state: PerpsState) -> Mapping[str, str]:
        found = {}
        if not state.open:
            found["closed"] = "the market is closed: nothing can be traded, added or liquidated"
        if not state.costs_known:
            found["costs"] = "what keepers' work costs cannot be had: nobody's requirement is known"
        if self.own.price_service is None and self.wanted_prices(state):
            found["to_be_brought"] = (
                f"prices must be brought, and {self.table}.price_service names nobody who signs them: only "
                "what others bring counts"
            )
        for each in state.perps.values():
            if each.price is not None and each.strict_price is None:
                found[f"strict_{each.id}"] = f"{each.symbol} has no price fresh enough for a liquidation"
        return found

    def lines(
        self,
        state: PerpsState,
        valuation: Valuation,
        raw: PerpsAccount,
        timestamp: int,
        symbols: Mapping[str, str],
    ) -> tuple[Sequence[AssetLine], str]:
        return explaining.collaterals(state, raw, symbols), explaining.FORMULA

    def explain(
        self, state: PerpsState, account: str, raw: PerpsAccount, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation:
        found = super().explain(state, account, raw, timestamp, symbols)
        return replace(found, positions=tuple(explaining.positions(state, account, raw, timestamp)))

    # Planning.

    def tokens(self, state: PerpsState) -> Sequence[str]:
        held = [each.token for each in state.synths.values() if each.id != DOLLAR]
        return [state.dollar.lower(), *held]

    def assets(self, state: PerpsState, purse: Purse) -> Mapping[str, Asset]:
        return {token: asset for token, (_, asset) in planning.assets(state, purse.symbols).items()} | {
            state.dollar.lower(): self._dollars(state, purse)
        }

    def liquidation_tokens(self, state: PerpsState, raw: PerpsAccount) -> frozenset[str]:
        return frozenset({state.dollar.lower()})

    def planning_calls(self, state: PerpsState, accounts: Sequence[str], payer: str) -> list[Call]:
        asked = [call for each in accounts for call in self._rights(state, each, payer).calls()]
        return [*super().planning_calls(state, accounts, payer), *asked]

    def read_planning(
        self, state: PerpsState, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        purse = super().read_planning(state, accounts, payer, answers)
        grants = {each: self._rights(state, each, payer).read(answers) for each in accounts}
        return replace(purse, grants=grants)

    def _rights(self, state: PerpsState, account: str, payer: str) -> rights.Rights:
        return rights.Rights(self.contract, self.grant, account, tuple(state.perps), payer)

    def offers(
        self, state: PerpsState, account: str, raw: PerpsAccount, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        dollars = self._dollars(state, purse)
        return planning.offers(
            self.contract,
            state,
            account,
            raw,
            timestamp,
            dollars,
            purse.updates,
            self.own.price_carrier,
        )

    def wanted_prices(self, state: PerpsState) -> Sequence[WantedPrice]:
        asked = [(each.symbol, query) for each in state.perps.values() for query in each.freshness.queries]
        asked += [(each.token, query) for each in state.synths.values() for query in each.freshness.queries]
        asked += [("what keepers' work costs", query) for query in state.cost_queries]
        found = (WantedPrice(query.oracle, each, name) for name, query in asked for each in query.ids)
        return list(dict.fromkeys(found))

    # Protecting.

    def blocked_reason(self, state: PerpsState, raw: PerpsAccount, request: CureRequest) -> str:
        if not state.open:
            return "the market is closed"
        if raw.flagged:
            return "it is flagged for liquidation: nothing can help it any more"
        if upkeep.waits(state, raw, request.timestamp):
            return "an order of it waits to be settled: until then nothing is taken"
        return ""

    def cures(
        self, state: PerpsState, raw: PerpsAccount, request: CureRequest
    ) -> Sequence[tuple[Action, Asset]]:
        found: list[tuple[Action, Asset]] = []
        if raw.debt:
            found.append(("repay", self._dollars(state, request.purse)))
        found += [
            ("add_collateral", asset)
            for identity, asset in planning.assets(state, request.purse.symbols).values()
            if state.synths[identity].supported
        ]
        for each in raw.positions:
            position = reducing.position_asset(state.perps[each.market])
            found += [("reduce", position), ("close", position)]
        return found

    def cure(
        self, state: PerpsState, raw: PerpsAccount, request: CureRequest, step: Step, asset: Asset
    ) -> Cure | Blocked:
        grant = request.purse.grants.get(request.account, NOTHING)
        if why := grant.lacks(step.action, asset.token):
            return Blocked(why)
        if step.action in ("reduce", "close"):
            return reducing.cure(self.contract, state, raw, request, step, asset, grant)
        listed = planning.assets(state, request.purse.symbols)
        identity = listed[asset.token][0] if asset.token in listed else DOLLAR
        return planning.cure(self.contract, state, raw, request, step, asset, identity, grant.via)

    def _dollars(self, state: PerpsState, purse: Purse) -> Asset:
        token = state.dollar.lower()
        return Asset(token, purse.symbol(token), WAD, WAD)


def _signed(word: int) -> int:
    return word - 2**256 if word >> 255 else word
