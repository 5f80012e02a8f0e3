"""A trove system behind the keeper's interface. Base currency is the debt token, 18 decimals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import ClassVar

from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import read_address
from keeper.chain.logs import Log
from keeper.config.policy import Action, Step
from keeper.margin.lending.liquity.interest import Stored, at
from keeper.margin.lending.liquity.trove import collateral_ratio_down, equity_down
from keeper.margin.rounding import WAD
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, Offer
from keeper.model.plan import NATIVE, Blocked
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Valuation
from keeper.protocols.adapter import Adapter
from keeper.protocols.cures import Cure
from keeper.protocols.event_table import EventTable, topic
from keeper.protocols.lenses import words
from keeper.protocols.liquity import planning
from keeper.protocols.liquity.lens import LENS, RECORD, System, read_system, read_trove
from keeper.protocols.roles.market import PricedAsset

# The ratio at which everything changes is told of when the system's is this much above it.
_NEAR_PERCENT = 110
_PAYS_COINS = (topic("Liquidation(uint256,uint256,uint256,uint256,uint256)"), 3)


class TroveMarket(Adapter[System, Stored]):
    """One TroveManager. Mezo's arithmetic is known; Liquity v1, whose liquidations also depend on the
    system's ratio, is watched only. Troves are few: all are valued exactly."""

    protocol = "liquity"
    called = (planning.LIQUIDATE,)
    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "borrowerOperations()": (planning.ADD, planning.REPAY)
    }
    lens, view_words, record_bytes, scale = LENS, 5, RECORD, 18
    # Mezo's and Liquity v1's. Interest may be counted anew for any trove without an event naming it, and
    # rounding then moves its debt by a unit: but the pool's debt is announced, and all troves are read again.
    heard = EventTable(
        {
            topic("TroveUpdated(address,uint256,uint256,uint256,uint256,uint16,uint256,uint8)"): (1,),
            topic("TroveUpdated(address,uint256,uint256,uint256,uint8)"): (1,),
        },
        of_all=frozenset(
            {topic("ActivePoolDebtUpdated(uint256,uint256)"), topic("ActivePoolLUSDDebtUpdated(uint256)")}
        ),
    )
    ratio_parts: ClassVar[Mapping[str, int]] = {"mcr": 18, "ratio": 18}
    needs_capital = False  # the stability pool pays, or all other troves do
    what = "a TroveManager"
    remedy = "Name the TroveManager of a system of the Liquity family"

    def __init__(self, name: str, address: str, from_block: int) -> None:
        super().__init__(name, address, from_block)
        self.native_rewards = self

    def emitters(self, state: System) -> tuple[str, ...]:
        return (self.contract.lower(), state.operations, state.active_pool)

    read_state = staticmethod(read_system)
    decode = staticmethod(read_trove)

    def counted(self, raw: Stored) -> Mapping[str, int]:
        return {"stakes": raw.stake}

    def totals(self, state: System) -> Mapping[str, int]:
        return {"stakes": state.stakes}

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        return _valuation(account, *view[1:])

    def revision(self, state: System) -> int:
        return 2 if state.interest else 1

    def version(self, state: System) -> str | None:
        return "musd-1" if state.interest else None

    def valued(self, state: System, account: str, raw: Stored, timestamp: int) -> Valuation:
        trove, price = at(raw, state.given, timestamp), state.price or 0
        ratio = collateral_ratio_down(trove, price)
        return _valuation(account, trove.coll * price // WAD, trove.debt, state.terms.mcr, ratio)

    def priced_assets(self, state: System) -> list[PricedAsset]:
        source = LENS.call("sourceOf(address)", self.contract)
        return [PricedAsset(NATIVE, state.price, source, LENS.call("symbol()"))]

    def price_dependencies(self, state: System, raw: Stored) -> frozenset[str]:
        return frozenset({NATIVE}) if raw.active else frozenset()

    def tokens(self, state: System) -> Sequence[str]:
        return [state.debt_token]

    def liquidation_tokens(self, state: System, raw: Stored) -> frozenset[str]:
        return frozenset({state.debt_token})

    def rewards(self, logs: Iterable[Log]) -> int:
        event, place = _PAYS_COINS
        ours = (each for each in logs if (each.address, each.topics[0]) == (self.contract.lower(), event))
        return sum(words(bytes.fromhex(each.data[2:]))[place] for each in ours)

    def market_warnings(self, state: System) -> Mapping[str, str]:
        found = {}
        ratio, ccr = collateral_ratio_down(state.whole, state.price or 0), state.terms.ccr
        words = f"the system's ratio is {ratio / WAD:.4f}, the critical one {ccr / WAD:.4f}"
        if state.price and ratio < ccr:
            found["recovery"] = f"recovery mode: {words}"
        elif state.price and ratio < ccr * _NEAR_PERCENT // 100:
            found["near_recovery"] = f"recovery mode is near: {words}"
        if state.troves and not state.stability_pool:
            found["stability_pool"] = "the stability pool is empty: liquidated debt falls to all other troves"
        return found

    def indices(self, state: System, timestamp: int) -> dict[str, dict[str, int]]:
        return {NATIVE: asdict(state.given)}

    def lines(
        self, state: System, valuation: Valuation, raw: Stored, timestamp: int, symbols: Mapping[str, str]
    ) -> tuple[Sequence[AssetLine], str]:
        coll, token = at(raw, state.given, timestamp).coll, state.debt_token
        debt, mcr, worth = valuation.maintenance, state.terms.mcr, valuation.parts["collateral"]
        # The highest price at which ⌊coll·price/debt⌋ < MCR.
        breaks = (mcr * debt - 1) // coll if coll else None
        has = AssetLine(NATIVE, NATIVE, 18, state.price or 0, coll, worth, mcr // 10**14, breaks_at=breaks)
        owes = AssetLine(token, symbols.get(token, token), 18, WAD, owed=debt, debt=debt)
        return (has, owes), "Trove: collateral × price ÷ debt ÷ least ratio"

    def planning_calls(self, state: System, accounts: Sequence[str], payer: str) -> list[Call]:
        hints = [call for account in accounts for call in _neighbours(state, account)]
        return [*super().planning_calls(state, accounts, payer), *hints]

    def read_planning(
        self, state: System, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        purse = super().read_planning(state, accounts, payer, answers)
        hints = {}
        for account in accounts:
            before, after = _neighbours(state, account)
            hints[account] = read_address(answers[before]), read_address(answers[after])
        return replace(purse, symbols={**purse.symbols, NATIVE: NATIVE}, hints=hints)

    def assets(self, state: System, purse: Purse) -> Mapping[str, Asset]:
        token = state.debt_token
        coins = {NATIVE: Asset(NATIVE, NATIVE, state.price, WAD)} if state.price is not None else {}
        return {token: Asset(token, purse.symbol(token), WAD, WAD), **coins}

    def offers(
        self, state: System, account: str, raw: Stored, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        token = self.assets(state, purse)[state.debt_token]
        return planning.offers(self.contract, state, account, at(raw, state.given, timestamp), token)

    def blocked_reason(self, state: System, raw: Stored, request: CureRequest) -> str:
        if request.purse.payer.lower() != request.account:
            return f"only a trove's owner can add to it or repay, and the signer is {request.purse.payer}"
        return "the price feed is stale: the market takes nothing" if state.price is None else ""

    def cures(self, state: System, raw: Stored, request: CureRequest) -> Sequence[tuple[Action, Asset]]:
        assets = self.assets(state, request.purse)
        coin = assets.get(NATIVE) or Asset(NATIVE, NATIVE, 0, WAD)
        return [("repay", assets[state.debt_token]), ("add_collateral", coin)]

    def cure(
        self, state: System, raw: Stored, request: CureRequest, step: Step, asset: Asset
    ) -> Cure | Blocked:
        return planning.cure(
            self.contract, state, at(raw, state.given, request.timestamp), request, step, asset
        )


def _neighbours(state: System, account: str) -> tuple[Call, Call]:
    """The neighbours of a trove in the sorted list."""
    before, after = (encoded(side, account) for side in ("getPrev(address)", "getNext(address)"))
    return Call(state.sorted_troves, before), Call(state.sorted_troves, after)


def _valuation(account: str, worth: int, debt: int, mcr: int, ratio: int) -> Valuation:
    """Health is the ratio over the minimum ratio; a closed trove has neither."""
    equity, health = equity_down(worth, debt, ratio, mcr), ratio * WAD // mcr if debt else None
    parts = {"collateral": worth, "debt": debt, "mcr": mcr, "ratio": ratio if debt else 0}
    return Valuation(account, equity, debt, worth - debt, debt > 0 and ratio < mcr, None, health, parts)
