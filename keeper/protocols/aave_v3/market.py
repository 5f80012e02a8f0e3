"""An Aave v3 pool behind the keeper's interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import read_uint, symbol
from keeper.chain.logs import LogFilter
from keeper.config.policy import Action, Step
from keeper.margin.lending.aave import bounds, health
from keeper.margin.lending.aave.state import AccountData, AccountState
from keeper.margin.lending.weights import Weights
from keeper.model.cure import CureRequest
from keeper.model.offer import Asset, FlashLender, Offer
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.model.valuation import AssetLine, Valuation
from keeper.protocols.aave_v3 import calls, explain, offering, planning, records
from keeper.protocols.aave_v3.lens import LENS, PoolState, market_call, read_market
from keeper.protocols.aave_v3.owner_money import OwnerTopUps
from keeper.protocols.aave_v3.redeeming import Redemptions
from keeper.protocols.aave_v3.unsized import UnsizedTopUps
from keeper.protocols.aave_v3.valuing import RecordValuer, valuation
from keeper.protocols.adapter import Adapter
from keeper.protocols.cures import Cure
from keeper.protocols.event_table import EventTable, topic
from keeper.protocols.roles.market import PricedAsset

TRANSFER = topic("Transfer(address,address,uint256)")


class AaveV3Market(Adapter[PoolState, AccountState]):
    """One pool. Addresses inside are lower case."""

    protocol = "aave-v3"
    called = (calls.LIQUIDATE, calls.SUPPLY, calls.REPAY, calls.WITHDRAW)
    lens, view_words = LENS, 6
    # Every mint, burn and transfer of a token says so itself; the pool adds the switches that move no token.
    heard = EventTable(
        {
            TRANSFER: (1, 2),
            topic("UserEModeSet(address,uint8)"): (1,),
            topic("ReserveUsedAsCollateralEnabled(address,address)"): (2,),
            topic("ReserveUsedAsCollateralDisabled(address,address)"): (2,),
        }
    )
    what = "an Aave v3 pool"
    remedy = "Name the Pool proxy (PoolAddressesProvider.getPool())"
    ratio_parts: ClassVar[Mapping[str, int]] = {"threshold": 4}

    def __init__(self, name: str, address: str, from_block: int) -> None:
        super().__init__(name, address, from_block)
        self.screener = self.references = self.lending = self
        self.redeemer, self.owner_payments = Redemptions(name, address), OwnerTopUps()
        self.unsized_cures = UnsizedTopUps(name, address)

    # Copying.

    def emitters(self, state: PoolState) -> tuple[str, ...]:
        tokens = [
            token
            for reserve in state.market.reserves.values()
            for token in (reserve.a_token, reserve.variable_debt_token, reserve.stable_debt_token)
            if int(token, 16)
        ]
        return (self.contract.lower(), *tokens)

    def discovery_filter(self, state: PoolState) -> LogFilter:
        # Whoever has collateral or debt once received a token of it.
        return LogFilter(self.emitters(state)[1:], (TRANSFER,))

    def market_call(self, references: Iterable[int]) -> Call:
        # What a record refers to is its e-mode category.
        return market_call(self.contract, references)

    read_state = staticmethod(read_market)
    record_length = staticmethod(records.length)
    decode = staticmethod(records.decode)
    entries = staticmethod(records.entries)
    sums = staticmethod(records.sums)

    def covers(self, state: PoolState, references: Iterable[int]) -> bool:
        return all(category in state.market.emodes for category in references)

    def reference(self, record: bytes) -> int:
        return record[0]

    def weights(self, state: PoolState, timestamp: int, factors: Sequence[int]) -> Weights | None:
        return bounds.weights(state.at(timestamp), factors) if state.rules else None

    def unbalanced(self, state: PoolState, sums: Mapping[str, int]) -> str:
        """The first reserve whose total our accounts contradict, with both numbers.

        Scaled totals are sums of scaled balances, which no rounding touches: variable debt must be equal to
        the unit. Collateral may be less than the supply: supplies not used as collateral are not kept.
        """
        for reserve in state.market.reserves.values():
            debt = sums.get(f"debt:{reserve.id}", 0)
            if debt != reserve.scaled_variable_debt:
                return (
                    f"all accounts owe {debt} scaled units of {reserve.asset}, its debt token counts "
                    f"{reserve.scaled_variable_debt}"
                )
            collateral = sums.get(f"collateral:{reserve.id}", 0)
            if collateral > reserve.scaled_supply:
                return (
                    f"all accounts hold {collateral} scaled units of {reserve.asset} as collateral, its "
                    f"aToken counts {reserve.scaled_supply}"
                )
        return ""

    def view_call(self, account: str) -> Call:
        return calls.account_data(self.contract, account)

    def read_words(self, account: str, view: Sequence[int]) -> Valuation:
        collateral, debt, _, threshold, _, health_now = view
        return valuation(account, AccountData(collateral, debt, threshold, health_now))

    # Valuing.

    def revision(self, state: PoolState) -> int:
        return state.revision

    def version(self, state: PoolState) -> str | None:
        return state.rules.version if state.rules else None

    def base_decimals(self, state: PoolState) -> int:
        return len(str(state.market.base_unit)) - 1

    def value(
        self, state: PoolState, accounts: Mapping[str, AccountState], timestamp: int
    ) -> list[Valuation]:
        market = state.at(timestamp)
        return [valuation(a, health.account_data(raw, market)) for a, raw in accounts.items()]

    def valued(self, state: PoolState, account: str, raw: AccountState, timestamp: int) -> Valuation:
        return valuation(account, health.account_data(raw, state.at(timestamp)))

    def value_records(
        self, state: PoolState, records: Mapping[str, bytes], timestamp: int
    ) -> list[Valuation]:
        valuer = RecordValuer(state.at(timestamp))
        return [valuation(a, valuer.value(record)) for a, record in records.items()]

    def priced_assets(self, state: PoolState) -> list[PricedAsset]:
        """Every reserve, and every price source of an e-mode category's own (up to 3.1)."""
        unpriced = {asset.lower() for asset in state.unpriced}
        found = {
            reserve.asset.lower(): None if reserve.asset.lower() in unpriced else reserve.price
            for reserve in state.market.reserves.values()
        }
        for category, source in state.emode_sources.items():
            price = None if category in state.unpriced_emodes else state.market.emodes[category].price
            found.setdefault(source.lower(), price)
        return [
            PricedAsset(asset, price, calls.source_of(state.oracle, asset), symbol(asset))
            for asset, price in found.items()
        ]

    def factor_assets(self, state: PoolState, factors: Sequence[int]) -> list[str]:
        """The asset, or a category's own price source, behind each factor; empty where a reserve is gone."""
        found, by_bitmap = [], _emode_by_bitmap(state)
        for factor in factors:
            category, reserve_id = divmod(factor, bounds.RESERVES)
            reserve = state.market.reserves.get(reserve_id)
            own = state.emode_sources.get(category) if category else None
            if own and not by_bitmap and reserve is not None and reserve.emode_category == category:
                found.append(own.lower())
            else:
                found.append(reserve.asset.lower() if reserve is not None else "")
        return found

    def price_dependencies(self, state: PoolState, raw: AccountState) -> frozenset[str]:
        """The pool reads the price of every reserve that the account's bitmap marks, whatever the amount; a
        category's own price replaces its members' and is read for every account in the category."""
        if not raw.positions:
            return frozenset()
        own = state.emode_sources.get(raw.emode) if raw.emode else None
        read, by_bitmap = {own.lower()} if own else set(), _emode_by_bitmap(state)
        for position in raw.positions:
            reserve = state.market.reserves[position.reserve_id]
            if own and not by_bitmap and reserve.emode_category == raw.emode:
                continue
            read.add(reserve.asset.lower())
        return frozenset(read)

    def indices(self, state: PoolState, timestamp: int) -> dict[str, dict[str, int]]:
        reserves = state.at(timestamp).reserves.values()
        return {each.reserve.asset: {"income": each.income, "debt": each.debt_index} for each in reserves}

    def lines(
        self,
        state: PoolState,
        valuation: Valuation,
        raw: AccountState,
        timestamp: int,
        symbols: Mapping[str, str],
    ) -> tuple[Sequence[AssetLine], str]:
        return explain.lines(valuation, raw, state.at(timestamp), symbols)

    # Planning.

    def planning_calls(self, state: PoolState, accounts: Sequence[str], payer: str) -> list[Call]:
        reserves = state.market.reserves.values()
        held = [calls.scaled_balance_of(r.a_token, account) for account in accounts for r in reserves]
        return [*super().planning_calls(state, accounts, payer), *held]

    def read_planning(
        self, state: PoolState, accounts: Sequence[str], payer: str, answers: Mapping[Call, Answer]
    ) -> Purse:
        purse = super().read_planning(state, accounts, payer, answers)
        held = {
            (account, reserve.asset): read_uint(answers[calls.scaled_balance_of(reserve.a_token, account)])
            for account in accounts
            for reserve in state.market.reserves.values()
        }
        return replace(purse, idle_collateral=held)

    def tokens(self, state: PoolState) -> Sequence[str]:
        return [reserve.asset for reserve in state.market.reserves.values()]

    def offers(
        self, state: PoolState, account: str, raw: AccountState, timestamp: int, purse: Purse
    ) -> list[Offer] | Blocked:
        return offering.offers(self.contract, state, account, raw, timestamp, purse)

    def lenders(self, state: PoolState) -> Mapping[str, FlashLender]:
        return offering.lenders(self.contract, state)

    def holder(self, state: PoolState, token: str) -> str:
        reserve = state.reserve_of(token)
        return reserve.a_token.lower() if reserve is not None else self.contract.lower()

    def assets(self, state: PoolState, purse: Purse) -> Mapping[str, Asset]:
        listed = {r.asset.lower(): offering.asset(r, purse) for r in state.market.reserves.values()}
        # A claim is worth what it is a claim on.
        claims = {
            r.a_token.lower(): replace(listed[r.asset.lower()], token=r.a_token.lower())
            for r in state.market.reserves.values()
        }
        return listed | claims

    def cures(
        self, state: PoolState, raw: AccountState, request: CureRequest
    ) -> Sequence[tuple[Action, Asset]]:
        # Every reserve can be supplied or repaid; whether the account has use for it is asked of each step.
        listed = [offering.asset(reserve, request.purse) for reserve in state.market.reserves.values()]
        return [(action, each) for action in ("repay", "add_collateral") for each in listed]

    def default_steps(self, state: PoolState, raw: AccountState, request: CureRequest) -> Sequence[Step]:
        return planning.default_steps(raw, state.market)

    def cure(
        self, state: PoolState, raw: AccountState, request: CureRequest, step: Step, asset: Asset
    ) -> Cure | Blocked:
        return planning.cure(self.contract, state, raw, request, step, asset)


def _emode_by_bitmap(state: PoolState) -> bool:
    return state.rules is not None and state.rules.emode_by_bitmap
