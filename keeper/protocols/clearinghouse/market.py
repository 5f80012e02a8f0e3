"""Our own clearinghouse behind the keeper's interface. Money has 18 decimals; accounts are numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Self

from keeper.book.screening.bounds import HealthBounds
from keeper.chain.calls import Call
from keeper.chain.erc20 import symbol
from keeper.config import MarketSettings as Settings
from keeper.config.policy import Action, Step
from keeper.margin.portfolio.clearinghouse.values import Kind
from keeper.margin.rounding import WAD
from keeper.model.chore import Chore
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Explanation, Valuation
from keeper.protocols.adapter import Adapter
from keeper.protocols.clearinghouse import explaining, planning, records, rounds, screening, upkeep
from keeper.protocols.clearinghouse.lens import ClearingHouseState, read_state
from keeper.protocols.clearinghouse.records import ClearingAccount
from keeper.protocols.clearinghouse.screening import AccountCopies
from keeper.protocols.clearinghouse.settings import ClearinghouseSettings
from keeper.protocols.clearinghouse.valuing import ClearingMoment, clearing_valuation
from keeper.protocols.cures import Cure
from keeper.protocols.event_table import EventTable, topic
from keeper.protocols.lenses import LensContract
from keeper.protocols.roles.market import PricedAsset

_SIGNED = frozenset({0, 1, 3, 4, 5})


def of_underlying(number: int) -> str:
    """The name of an underlying among what prices are of."""
    return f"underlying:{number}"


def of_expiry(underlying: int, time: int) -> str:
    """The name of an expiry's volatility among what prices are of."""
    return f"volatility:{underlying}:{time}"


class ClearinghouseMarket(Adapter[ClearingHouseState, ClearingAccount]):
    """One clearinghouse with all its accounts."""

    protocol = "clearinghouse"
    called = (
        planning.CALL,
        planning.LIQUIDATE,
        planning.DEPOSIT,
        planning.DEPOSIT_CASH,
        upkeep.SETTLE_LEGS,
    )
    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "options()": (upkeep.OBSERVE, upkeep.SETTLE_EXPIRY),
        "deleveraging()": (rounds.BEGIN, rounds.BEGIN_CLOSING, rounds.WEIGH, rounds.CHARGE),
    }
    lens = LensContract("ClearinghouseLens", "0x00000000000000000000000000000000ba7c00c1")
    view_words, scale = 8, 18
    needs_capital = False
    heard = EventTable(
        {
            topic("Changed(uint256,uint64,bytes32)"): (1,),
            topic("MarginCall(uint256,uint256,int256,uint256)"): (1,),
            topic("CallLifted(uint256)"): (1,),
        },
        key_bytes=16,
    )
    ratio_parts: ClassVar[Mapping[str, int]] = {"scenario": 0}
    what = "a Clearinghouse"
    remedy = "Name the Clearinghouse; its nodes must take state overrides"

    def __init__(self, name: str, address: str, from_block: int, taker: int | None = None) -> None:
        super().__init__(name, address, from_block)
        self._taker = taker
        self.chores = self.scenario_screener = self
        self._copies = AccountCopies()
        self._moments: dict[int, ClearingMoment] = {}

    @classmethod
    def of(cls, name: str, settings: Settings, *, is_local: bool = False) -> Self:
        own = settings.own_as(ClearinghouseSettings)
        return cls(name, settings.address, settings.from_block, own.account)

    # Copying.

    read_state = staticmethod(read_state)
    decode = staticmethod(records.decode)
    record_length = staticmethod(records.length)

    def counted(self, raw: ClearingAccount) -> Mapping[str, int]:
        found = {"cash lent": max(raw.state.cash, 0), "cash owed": max(-raw.state.cash, 0)}
        found |= {f"collateral {place}": amount for place, amount in enumerate(raw.state.collateral)}
        for leg in raw.state.legs:
            found |= {
                f"long {leg.instrument}": max(leg.size, 0),
                f"short {leg.instrument}": max(-leg.size, 0),
            }
        return found

    def totals(self, state: ClearingHouseState) -> Mapping[str, int]:
        found = {"cash lent": state.ledger.lent, "cash owed": state.ledger.owed}
        found |= {f"collateral {place}": each.pledged for place, each in enumerate(state.collaterals)}
        for number, each in state.instruments.items():
            if not each.settled:
                found |= dict.fromkeys((f"long {number}", f"short {number}"), each.open_interest)
        return found

    def market_call(self, references: Iterable[int]) -> Call:
        own = 2**128 - 1 if self._taker is None else self._taker
        return self.lens.call("market(address,uint128)", self.contract, own)

    def view_call(self, account: str) -> Call:
        return self.lens.call("valued(address,uint128)", self.contract, planning.number(account))

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        signed = [w - 2**256 if i in _SIGNED and w >> 255 else w for i, w in enumerate(view)]
        equity, worst, scenario, initial, net, cash, pledged, contingency = signed
        parts = {"cash": cash, "collateral": pledged, "contingency": contingency, "scenario": scenario}
        return clearing_valuation(account, equity, worst, initial, net, parts)

    # Valuing.

    def revision(self, state: ClearingHouseState) -> int:
        return 1

    def version(self, state: ClearingHouseState) -> str | None:
        """By the code that values accounts: it has no settings of its own, and is the same everywhere."""
        return "1" if state.arithmetic == planning.arithmetic_hash() else None

    def moment(self, state: ClearingHouseState, timestamp: int) -> ClearingMoment:
        """The clearinghouse at a second; those of the last state are kept."""
        if any(each.state is not state for each in self._moments.values()):
            self._moments = {}
        if timestamp not in self._moments:
            self._moments[timestamp] = ClearingMoment(state, timestamp)
        return self._moments[timestamp]

    def value(
        self, state: ClearingHouseState, accounts: Mapping[str, ClearingAccount], timestamp: int
    ) -> list[Valuation]:
        return self.moment(state, timestamp).value(accounts)

    def valued(
        self, state: ClearingHouseState, account: str, raw: ClearingAccount, timestamp: int
    ) -> Valuation:
        return self.value(state, {account: raw}, timestamp)[0]

    def health_bounds(
        self, state: ClearingHouseState, records: Sequence[bytes], timestamps: Sequence[int]
    ) -> HealthBounds:
        moments = [self.moment(state, each) for each in timestamps]
        return screening.health_bounds(moments, self._copies, records)

    def priced_assets(self, state: ClearingHouseState) -> list[PricedAsset]:
        """Indices and collaterals; of volatilities, which no aggregator tells, only those not believed."""
        found = [
            PricedAsset(
                of_underlying(number),
                None if each.index is None else each.index * 10**9,
                self.lens.call("sourceOf(address,uint256)", self.contract, number),
                self.lens.call("symbolOf(uint256)", number),
            )
            for number, each in enumerate(state.underlyings)
        ]
        for place, token in enumerate(state.collaterals):
            price = None if token.quote is None else token.quote.price * 10**token.decimals // WAD
            source = self.lens.call("sourceOfCollateral(address,uint256)", self.contract, place)
            found.append(PricedAsset(token.token, price, source, symbol(token.token)))
        for one in state.expiries:
            if not one.is_known:
                source = self.lens.call("sourceOf(address,uint256)", self.contract, one.underlying)
                name = of_expiry(one.underlying, one.time)
                found.append(
                    PricedAsset(name, None, source, self.lens.call("symbolOf(uint256)", one.underlying))
                )
        return found

    def price_dependencies(self, state: ClearingHouseState, raw: ClearingAccount) -> frozenset[str]:
        found = {
            state.collaterals[place].token for place, amount in enumerate(raw.state.collateral) if amount
        }
        for leg in raw.state.legs:
            each = state.instruments[leg.instrument]
            if each.settled:
                continue
            found.add(of_underlying(each.terms.underlying))
            if each.terms.kind is not Kind.PERPETUAL:
                found.add(of_expiry(each.terms.underlying, each.terms.expiry))
        return frozenset(found)

    def indices(self, state: ClearingHouseState, timestamp: int) -> dict[str, dict[str, int]]:
        spots = state.snapshot(timestamp).spots
        return {of_underlying(number): {"funding": spot.funding} for number, spot in enumerate(spots)}

    def market_warnings(self, state: ClearingHouseState) -> Mapping[str, str]:
        found = {"paused": "new risk is stopped"} if state.paused else {}
        for one in state.expiries:
            average = one.average
            if state.read >= one.time and average.last == one.time and not average.suffices():
                found[f"unsettled_{one.underlying}_{one.time}"] = (
                    f"expiry {one.time} of underlying {one.underlying} has too few observations: it waits "
                    "for settleByRounds with the feed's own rounds"
                )
        for number, each in state.instruments.items():
            if lost := each.lost_by_longs + each.lost_by_shorts:
                found[f"shortfall_{number}"] = (
                    f"instrument {number} lacks {lost / WAD:.2f}: it is halted until somebody deleverages it"
                )
        return found

    def lines(
        self,
        state: ClearingHouseState,
        valuation: Valuation,
        raw: ClearingAccount,
        timestamp: int,
        symbols: Mapping[str, str],
    ) -> tuple[Sequence[AssetLine], str]:
        moment = self.moment(state, timestamp)
        worst = explaining.worst_scenario(moment, raw)
        return list(explaining.collaterals(moment, raw, symbols)), f"{explaining.FORMULA}; {worst}"

    def explain(
        self,
        state: ClearingHouseState,
        account: str,
        raw: ClearingAccount,
        timestamp: int,
        symbols: Mapping[str, str],
    ) -> Explanation:
        found = super().explain(state, account, raw, timestamp, symbols)
        return replace(found, positions=tuple(explaining.positions(self.moment(state, timestamp), raw)))

    # Upkeep.

    def due_chores(
        self, state: ClearingHouseState, accounts: Mapping[str, ClearingAccount], timestamp: int
    ) -> list[Chore]:
        moment = self.moment(state, timestamp)
        return list(upkeep.due(self.contract, moment, accounts))

    # Planning.

    def tokens(self, state: ClearingHouseState) -> Sequence[str]:
        return [state.parts.cash_token, *(each.token for each in state.collaterals)]

    def assets(self, state: ClearingHouseState, purse: Purse) -> Mapping[str, Asset]:
        return planning.assets(state, purse)

    def liquidation_tokens(self, state: ClearingHouseState, raw: ClearingAccount) -> frozenset[str]:
        return frozenset({state.parts.cash_token})

    def offers(
        self, state: ClearingHouseState, account: str, raw: ClearingAccount, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        moment = self.moment(state, timestamp)
        return planning.offers(self.contract, moment, account, raw, self._taker, purse)

    def cures(
        self, state: ClearingHouseState, raw: ClearingAccount, request: CureRequest
    ) -> Sequence[tuple[Action, Asset]]:
        return [("add_collateral", each) for each in self.assets(state, request.purse).values()]

    def cure(
        self,
        state: ClearingHouseState,
        raw: ClearingAccount,
        request: CureRequest,
        step: Step,
        asset: Asset,
    ) -> Cure | Blocked:
        return planning.cure(self.contract, self.moment(state, request.timestamp), raw, request, step, asset)
