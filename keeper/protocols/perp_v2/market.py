"""Perp v2 behind the keeper's interface. Money has 18 decimals; traders are addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from keeper.book.entries import Entries
from keeper.book.source import ChangedAccounts
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.erc20 import symbol
from keeper.chain.logs import Log
from keeper.config import MarketSettings as Settings
from keeper.config.policy import Action, Step
from keeper.margin.lending.weights import Weights
from keeper.margin.rounding import WAD
from keeper.model.cure import CureRequest
from keeper.model.grant import NOTHING
from keeper.model.offer import Asset, Offer
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Explanation, Valuation
from keeper.protocols.adapter import Adapter
from keeper.protocols.cures import Cure
from keeper.protocols.event_table import EventTable, topic
from keeper.protocols.lenses import LensContract, packed
from keeper.protocols.perp_v2 import (
    collateral_sales,
    explaining,
    planning,
    records,
    reducing,
    screening,
    takeover,
    valuing,
)
from keeper.protocols.perp_v2.lens import LENS, CurieState, read_state
from keeper.protocols.perp_v2.records import Trader
from keeper.protocols.perp_v2.settings import PerpV2Settings
from keeper.protocols.roles.market import PricedAsset
from keeper.venues.uniswap_v3 import lens as pools

_SWAPPED = topic("PositionChanged(address,address,int256,int256,uint256,int256,int256,uint256)")
_SOLD = topic("CollateralLiquidated(address,address,address,uint256,uint256,uint256,uint24)")
_LOST = topic("BadDebtSettled(address,uint256)")
LISTED = topic("PoolAdded(address,uint24,address)")
"""What the registry tells of a market, by its base token."""
_BORNE = frozenset({_SOLD, _LOST})
_SIGNED = frozenset({0, 1, 4, 5, 7})


@dataclass
class Named:
    """Markets and collateral tokens that records named, each with a bit of a reference; who has ranges; and
    where the exchange's parts are."""

    bits: dict[str, int] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    """Markets that were heard of besides."""
    bases: set[str] = field(default_factory=set)
    makers: set[str] = field(default_factory=set)
    beside: tuple[Lens, ...] = ()
    emitters: tuple[str, ...] = ()
    insurance: str = ""

    def bit(self, address: str, *, is_base: bool) -> int:
        if is_base:
            self.bases.add(address)
        return self.bits.setdefault(address, 1 << len(self.bits))

    def of(self, references: Iterable[int]) -> tuple[list[str], list[str]]:
        """Base tokens and collateral tokens that any of these references names."""
        wanted = 0
        for each in references:
            wanted |= each
        named = [address for address, bit in self.bits.items() if wanted & bit]
        bases = sorted(self.listed.union(a for a in named if a in self.bases))
        return bases, [a for a in named if a not in self.bases]


class CurieMarket(Adapter[CurieState, Trader]):
    """One ClearingHouse with all its markets and traders. Its liquidations take positions over, by a contract
    of ours, or buy collateral."""

    protocol = "perp-v2"
    called = (reducing.OPEN,)
    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "getVault()": (planning.DEPOSIT_FOR, collateral_sales.BUY)
    }
    lens, view_words, scale = LENS, 9, 18
    heard = EventTable(
        {
            _SWAPPED: (1,),
            topic("PositionLiquidated(address,address,uint256,uint256,uint256,address)"): (1,),
            topic("PositionClosed(address,address,int256,int256,int256,int256,uint256)"): (1,),
            topic("LiquidityChanged(address,address,address,int24,int24,int256,int256,int128,uint256)"): (1,),
            topic("FundingPaymentSettled(address,address,int256)"): (1,),
            topic("PnlRealized(address,int256)"): (1,),
            topic("Deposited(address,address,uint256)"): (2,),
            topic("Withdrawn(address,address,uint256)"): (2,),
            _SOLD: (1, 3),
            _LOST: (1,),
        }
    )
    what = "a ClearingHouse of Perp v2"
    remedy = "Name the ClearingHouse's proxy; its nodes must take state overrides"

    def __init__(
        self, name: str, address: str, from_block: int, takeover: str | None = None, grant: str | None = None
    ) -> None:
        super().__init__(name, address, from_block)
        self.references = self.screener = self
        self._places, self._decimals = screening.places(), 6
        self._known, self._takeover, self._grant = Named(), takeover, grant or ""

    @classmethod
    def of(cls, name: str, settings: Settings, *, is_local: bool = False) -> Self:
        own = settings.own_as(PerpV2Settings)
        return cls(name, settings.address, settings.from_block, own.takeover, own.grant)

    # Copying.

    decode = staticmethod(records.decode)
    record_length = staticmethod(records.length)

    def entries(self, found: Sequence[bytes]) -> Entries:
        return screening.entries(found, self._places, self._decimals)

    def weights(self, state: CurieState, timestamp: int, factors: Sequence[int]) -> Weights:
        return screening.weights(state, timestamp, factors, self._places)

    def factor_assets(self, state: CurieState, factors: Sequence[int]) -> list[str]:
        return [self._places.market(factor) or state.settlement.lower() for factor in factors]

    def read_state(self, data: bytes) -> CurieState:
        state = read_state(data)
        self._decimals = state.decimals
        parts = (("PerpV2Growth", state.exchange), ("PerpV2Ticks", state.order_book))
        placed = [LensContract(name, address.lower(), in_place=True).placed() for name, address in parts]
        self._known.beside = tuple(placed)
        emitters = (self.contract, state.account_balance, state.vault)
        self._known.emitters = tuple(each.lower() for each in emitters)
        self._known.insurance = state.insurance.lower()
        return state

    def lenses(self) -> tuple[Lens, ...]:
        return (LENS.placed(), pools.lens(), *self._known.beside)

    def emitters(self, state: CurieState) -> tuple[str, ...]:
        return self._known.emitters

    def touched(self, logs: Iterable[Log]) -> ChangedAccounts:
        """A swap moves what grew beyond ticks: everybody with ranges may be another. And the insurance fund,
        which is a trader too, bears losses without an event of its own."""
        kept = list(logs)
        found = self.heard.touched(kept)
        self._known.listed.update("0x" + each.topics[1][-40:] for each in kept if each.topics[0] == LISTED)
        more = self._known.makers if any(each.topics[0] == _SWAPPED for each in kept) else set[str]()
        if any(each.topics[0] in _BORNE for each in kept):
            more = more | {self._known.insurance}
        return replace(found, accounts=found.accounts | more)

    def market_call(self, references: Iterable[int]) -> Call:
        bases, tokens = self._known.of(references)
        return self.lens.call("market(address,address[],address[])", self.contract, bases, tokens)

    def reference(self, record: bytes) -> int:
        raw, found = records.decode(record), 0
        for each in raw.positions:
            found |= self._known.bit(each.base, is_base=True)
        for token, _ in raw.tokens:
            found |= self._known.bit(token, is_base=False)
        return found

    def covers(self, state: CurieState, references: Iterable[int]) -> bool:
        bases, tokens = self._known.of(references)
        return state.whole and state.markets.keys() >= set(bases) and state.tokens.keys() >= set(tokens)

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        found = super().read_records(accounts, answer)
        for account, record in found.items():
            ranged = any(each.ranges for each in records.decode(record).positions)
            (self._known.makers.add if ranged else self._known.makers.discard)(account.lower())
        return found

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        numbers = [word - 2**256 if i in _SIGNED and word >> 255 else word for i, word in enumerate(view)]
        value, required, initial, debts, owed, unrealized, fees, funding, due = numbers
        parts = valuing.parts(owed, unrealized, fees, funding, debts)
        return valuing.valuation(account, value, required, initial, parts, bool(due))

    # Valuing.

    def revision(self, state: CurieState) -> int:
        return 2

    def version(self, state: CurieState) -> str | None:
        return "2"

    def value(self, state: CurieState, accounts: Mapping[str, Trader], timestamp: int) -> list[Valuation]:
        then = state.at(timestamp)
        now = valuing.growths(then, timestamp)
        return [valuing.valued(then, account, raw, now) for account, raw in accounts.items()]

    def valued(self, state: CurieState, account: str, raw: Trader, timestamp: int) -> Valuation:
        return self.value(state, {account: raw}, timestamp)[0]

    def priced_assets(self, state: CurieState) -> list[PricedAsset]:
        bases = [
            PricedAsset(each.base, each.price, self._source(each.base), symbol(each.base))
            for each in state.markets.values()
        ]
        tokens = [
            PricedAsset(
                each.token,
                None if each.price is None else each.price * 10 ** (18 - each.price_decimals),
                self._source(each.token),
                symbol(each.token),
            )
            for each in state.tokens.values()
        ]
        return [*bases, *tokens]

    def _source(self, token: str) -> Call:
        return self.lens.call("sourceOf(address,address)", self.contract, token)

    def price_dependencies(self, state: CurieState, raw: Trader) -> frozenset[str]:
        return frozenset([*(each.base for each in raw.positions), *(token for token, _ in raw.tokens)])

    def indices(self, state: CurieState, timestamp: int) -> dict[str, dict[str, int]]:
        now = valuing.growths(state.at(timestamp), timestamp)
        return {base: {"premium": each.premium} for base, each in now.items()}

    def market_warnings(self, state: CurieState) -> Mapping[str, str]:
        found = {"closed": "the exchange is paused"} if state.paused else {}
        for each in state.markets.values():
            if each.status != "open":
                found[f"{each.status}_{each.base}"] = f"the market of {each.symbol} is {each.status}"
        return found

    def lines(
        self, state: CurieState, valuation: Valuation, raw: Trader, timestamp: int, symbols: Mapping[str, str]
    ) -> tuple[Sequence[AssetLine], str]:
        return explaining.collaterals(state, raw, symbols), explaining.FORMULA

    def explain(
        self, state: CurieState, account: str, raw: Trader, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation:
        found = super().explain(state, account, raw, timestamp, symbols)
        return replace(
            found, positions=tuple(explaining.positions(state.at(timestamp), account, raw, timestamp))
        )

    # Planning.

    def holder(self, state: CurieState, token: str) -> str:
        return state.vault.lower()

    def tokens(self, state: CurieState) -> Sequence[str]:
        return [state.settlement.lower(), *state.tokens]

    def assets(self, state: CurieState, purse: Purse) -> Mapping[str, Asset]:
        dollar = state.settlement.lower()
        found = {dollar: Asset(dollar, purse.symbol(dollar), WAD, 10**state.decimals)}
        for each in state.tokens.values():
            if each.price is not None:
                price = each.price * 10 ** (18 - each.price_decimals)
                found[each.token] = Asset(each.token, purse.symbol(each.token), price, 10**each.decimals)
        return found

    def offers(
        self, state: CurieState, account: str, raw: Trader, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        then, assets = state.at(timestamp), self.assets(state, purse)
        dollar = assets[state.settlement.lower()]
        taken = takeover.offers(self._takeover, then, account, raw, timestamp, dollar)
        sold = collateral_sales.offers(then, account, raw, timestamp, assets)
        if isinstance(taken, Blocked):
            return taken if isinstance(sold, Blocked) else sold
        return taken if isinstance(sold, Blocked) else [*taken, *sold]

    def liquidation_tokens(self, state: CurieState, raw: Trader) -> frozenset[str]:
        return frozenset([state.settlement.lower(), *(token for token, _ in raw.tokens)])

    def blocked_reason(self, state: CurieState, raw: Trader, request: CureRequest) -> str:
        return "the exchange is paused" if state.paused else ""

    def cures(self, state: CurieState, raw: Trader, request: CureRequest) -> Sequence[tuple[Action, Asset]]:
        positions = [reducing.position_asset(state.markets[each.base]) for each in raw.positions if each.size]
        actions: tuple[Action, ...] = ("reduce", "close")
        return [
            *(("add_collateral", asset) for asset in self.assets(state, request.purse).values()),
            *((action, each) for each in positions for action in actions),
        ]

    def cure(
        self, state: CurieState, raw: Trader, request: CureRequest, step: Step, asset: Asset
    ) -> Cure | Blocked:
        then = state.at(request.timestamp)
        if step.action == "add_collateral":
            return planning.cure(then, raw, request, step, asset)
        grant = request.purse.grants.get(request.account, NOTHING)
        if why := grant.lacks(step.action, asset.token):
            return Blocked(why)
        return reducing.cure(self.contract, then, raw, request, step, asset, grant)

    def planning_calls(self, state: CurieState, accounts: Sequence[str], payer: str) -> list[Call]:
        asked = [call for each in accounts for call in self._delegated(state, each, payer).calls()]
        return [*super().planning_calls(state, accounts, payer), *asked]

    def read_planning(
        self, state: CurieState, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        grants = {each: self._delegated(state, each, payer).read(answers) for each in accounts}
        return replace(super().read_planning(state, accounts, payer, answers), grants=grants)

    def _delegated(self, state: CurieState, trader: str, payer: str) -> reducing.DelegateReads:
        return reducing.DelegateReads(self._grant, trader, tuple(state.markets), payer)

    def accounts_call(self, accounts: Sequence[str]) -> Call:
        return self.lens.call("accounts(address,bytes)", self.contract, packed(accounts))
