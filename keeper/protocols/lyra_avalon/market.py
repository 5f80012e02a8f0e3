"""A Lyra Avalon market behind the keeper's interface. Accounts are positions, by their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from keeper.book.entries import Entries
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import symbol
from keeper.config import MarketSettings as Settings
from keeper.config.policy import Action, Step
from keeper.margin.lending.weights import Weights
from keeper.margin.options.lyra_avalon.minimum import ShortKind
from keeper.margin.rounding import WAD
from keeper.model.chore import Chore
from keeper.model.cure import CureRequest
from keeper.model.grant import NOTHING
from keeper.model.offer import Asset, Offer
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Explanation, Valuation
from keeper.protocols.adapter import Adapter
from keeper.protocols.cures import Cure
from keeper.protocols.event_table import EventTable, topic
from keeper.protocols.lenses import LensContract
from keeper.protocols.lyra_avalon import explaining, planning, reducing, rights, screening, upkeep, valuing
from keeper.protocols.lyra_avalon.lens import RECORD, AvalonState, OptionPosition, read_position, read_state
from keeper.protocols.roles.market import PricedAsset


class AvalonOptions(Adapter[AvalonState, OptionPosition]):
    """One OptionMarket with all its positions."""

    protocol = "lyra-avalon"
    called = (planning.LIQUIDATE, planning.ADD, upkeep.SETTLE)
    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "greeks()": (upkeep.UPDATE,),
        "vault()": (upkeep.PAY,),
    }
    view_words, record_bytes, scale = 7, RECORD, 18
    needs_capital = False
    heard = EventTable(
        {
            topic(
                "PositionUpdated(uint256,address,uint8,(uint256,uint256,uint8,uint256,uint256,uint8),uint256)"
            ): (1,)
        },
        key_bytes=16,
    )
    ratio_parts: ClassVar[Mapping[str, int]] = {"amount": 18, "strike": 18}
    what = "an OptionMarket of Lyra Avalon"
    remedy = "Name the OptionMarket; its nodes must take state overrides"

    def __init__(self, name: str, address: str, from_block: int) -> None:
        super().__init__(name, address, from_block)
        self.lens = LensContract("AvalonLens", address.lower(), in_place=True)
        self._in_token: set[str] = set()
        self.grant = ""
        self.chores = self.screener = self
        self._places = screening.places()

    @classmethod
    def of(cls, name: str, settings: Settings, *, is_local: bool = False) -> AvalonOptions:
        market = cls(name, settings.address, settings.from_block)
        market.grant = settings.own.ours("grant") or ""
        return market

    # Copying.

    read_state = staticmethod(read_state)
    decode = staticmethod(read_position)

    def emitters(self, state: AvalonState) -> tuple[str, ...]:
        return (state.token.lower(),)

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        found = super().read_records(accounts, answer)
        self._in_token |= {a for a, record in found.items() if record[0] == ShortKind.CALL_BASE}
        return found

    def entries(self, found: Sequence[bytes]) -> Entries:
        return screening.entries(found, self._places)

    def weights(self, state: AvalonState, timestamp: int, factors: Sequence[int]) -> Weights:
        return screening.weights(state, timestamp, factors, self._places)

    def factor_assets(self, state: AvalonState, factors: Sequence[int]) -> list[str]:
        """Each option by itself: no two change by the same share as the spot moves."""
        legs = (self._places.market(factor) for factor in factors)
        return [state.quote.lower() if leg is None else leg.name for leg in legs]

    def view_call(self, account: str) -> Call:
        return self.lens.call("valued(address,uint256)", self.contract, planning.number(account))

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        collateral, least, due, spot, price, amount, kind = view
        return valuing.valuation(account, collateral, least, bool(due), spot, price, amount, kind)

    # Valuing.

    def revision(self, state: AvalonState) -> int:
        return 1

    def version(self, state: AvalonState) -> str | None:
        return "0.1.3"

    def valued(self, state: AvalonState, account: str, raw: OptionPosition, timestamp: int) -> Valuation:
        return valuing.valued(state, account, raw, timestamp)

    def unit_worth(self, state: AvalonState, account: str) -> float:
        return (state.spot or 0) / WAD if account in self._in_token else 1.0

    def priced_assets(self, state: AvalonState) -> list[PricedAsset]:
        return [PricedAsset(state.base.lower(), state.spot, self.lens.call("source()"), symbol(state.base))]

    def price_dependencies(self, state: AvalonState, raw: OptionPosition) -> frozenset[str]:
        return frozenset({state.base.lower()}) if raw.active else frozenset()

    def indices(self, state: AvalonState, timestamp: int) -> dict[str, dict[str, int]]:
        return {state.base.lower(): {"rate": state.terms.rate}}

    def market_warnings(self, state: AvalonState) -> Mapping[str, str]:
        found = {"paused": "the market is paused"} if state.paused else {}
        for each in state.boards.values():
            if each.frozen:
                found[f"frozen_{each.id}"] = f"board {each.id} is frozen: nothing of it can be liquidated"
        return found

    def lines(
        self,
        state: AvalonState,
        valuation: Valuation,
        raw: OptionPosition,
        timestamp: int,
        symbols: Mapping[str, str],
    ) -> tuple[Sequence[AssetLine], str]:
        token, price = self._collateral(state, raw)
        return [explaining.collateral(raw, token, symbols.get(token, token), price)], explaining.FORMULA

    def explain(
        self,
        state: AvalonState,
        account: str,
        raw: OptionPosition,
        timestamp: int,
        symbols: Mapping[str, str],
    ) -> Explanation:
        found = super().explain(state, account, raw, timestamp, symbols)
        if not raw.active:
            return found
        return replace(found, positions=(explaining.position(state, found.valuation, raw, timestamp),))

    # Upkeep.

    def due_chores(
        self, state: AvalonState, accounts: Mapping[str, OptionPosition], timestamp: int
    ) -> list[Chore]:
        return upkeep.jobs(self.contract, state, accounts, timestamp)

    # Planning.

    def tokens(self, state: AvalonState) -> Sequence[str]:
        return [state.quote.lower(), state.base.lower()]

    def assets(self, state: AvalonState, purse: Purse) -> Mapping[str, Asset]:
        quote, base = state.quote.lower(), state.base.lower()
        found = {quote: Asset(quote, purse.symbol(quote), WAD, WAD)}
        if state.spot is not None:
            found[base] = Asset(base, purse.symbol(base), state.spot, WAD)
        return found

    def liquidation_tokens(self, state: AvalonState, raw: OptionPosition) -> frozenset[str]:
        return frozenset({self._collateral(state, raw)[0]})

    def planning_calls(self, state: AvalonState, accounts: Sequence[str], payer: str) -> list[Call]:
        asked = [call for each in accounts for call in self._rights(state, each, payer).calls()]
        return [*super().planning_calls(state, accounts, payer), *asked]

    def read_planning(
        self, state: AvalonState, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        purse = super().read_planning(state, accounts, payer, answers)
        grants = {each: self._rights(state, each, payer).read(answers) for each in accounts}
        return replace(purse, grants=grants)

    def _rights(self, state: AvalonState, account: str, payer: str) -> rights.PositionRights:
        return rights.PositionRights(self.lens, state, self.grant, account, payer)

    def offers(
        self, state: AvalonState, account: str, raw: OptionPosition, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        token, _ = self._collateral(state, raw)
        gets = self.assets(state, purse).get(token)
        if gets is None:
            return Blocked("the market has no spot price: nothing can be liquidated")
        return planning.offers(self.contract, state, account, raw, timestamp, gets, purse)

    def blocked_reason(self, state: AvalonState, raw: OptionPosition, request: CureRequest) -> str:
        if not valuing.is_short(raw):
            return "it is no open short position: it needs no collateral"
        return "its board has expired" if request.timestamp >= raw.expiry else ""

    def cures(
        self, state: AvalonState, raw: OptionPosition, request: CureRequest
    ) -> Sequence[tuple[Action, Asset]]:
        assets = self.assets(state, request.purse)
        adds, options = assets.get(self._collateral(state, raw)[0]), assets.get(state.base.lower())
        found: list[tuple[Action, Asset]] = [("add_collateral", adds)] if adds else []
        return [*found, ("reduce", options), ("close", options)] if options else found

    def cure(
        self, state: AvalonState, raw: OptionPosition, request: CureRequest, step: Step, asset: Asset
    ) -> Cure | Blocked:
        if step.action not in ("reduce", "close"):
            return planning.cure(self.contract, state, raw, request, step, asset)
        grant = request.purse.grants.get(request.account, NOTHING)
        if why := grant.lacks(step.action, asset.token):
            return Blocked(why)
        return reducing.cure(state, raw, request, step, asset, grant)

    def _collateral(self, state: AvalonState, raw: OptionPosition) -> tuple[str, int]:
        """Token and price (18 decimals) of what a position holds."""
        in_token = raw.kind == ShortKind.CALL_BASE
        return (state.base.lower(), state.spot or 0) if in_token else (state.quote.lower(), WAD)
