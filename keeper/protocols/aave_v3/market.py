"""An Aave v3 pool behind the keeper's interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from keeper.book.entries import Entries
from keeper.book.source import Touched
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.logs import Log, LogFilter
from keeper.config import Market
from keeper.errors import ConfigError
from keeper.margin.lending.aave import bounds, health
from keeper.margin.lending.aave.rules import BY_REVISION, Rules
from keeper.margin.lending.aave.state import NO_DEBT_HEALTH, AccountData, AccountState, Reserve
from keeper.margin.lending.weights import Weights
from keeper.plan import Plan
from keeper.protocols.aave_v3 import (
    calls,
    events,
    explain,
    lens,
    liquidating,
    offering,
    owner_money,
    planning,
    prices,
    records,
    redeeming,
    totals,
    unsized,
)
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.valuing import RecordValuer
from keeper.protocols.base import (
    Asset,
    Explanation,
    Facts,
    Impossible,
    Lender,
    Offer,
    OwnerFunds,
    OwnerMoney,
    PricedAsset,
    Step,
    Unsized,
    Valuation,
)


class AaveV3Market:
    """Implements MarketAdapter for one pool. Addresses inside are lower case."""

    protocol = "aave-v3"
    called = (
        "liquidationCall(address,address,address,uint256,bool)",
        "supply(address,uint256,address,uint16)",
        "repay(address,uint256,uint256,address)",
        "withdraw(address,uint256,address)",
    )
    """What the keeper itself calls on the market's contract."""
    called_beside: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(self, name: str, address: str, from_block: int) -> None:
        self.name = name
        self.contract = address
        self.from_block = from_block

    @classmethod
    def of(cls, name: str, settings: Market) -> AaveV3Market:
        return cls(name, settings.address, settings.from_block)

    # Copying: see BookSource.

    def lenses(self) -> tuple[Lens, ...]:
        return (lens.lens(),)

    def log_filter(self, state: PoolState) -> LogFilter:
        tokens = [
            token
            for reserve in state.market.reserves.values()
            for token in (reserve.a_token, reserve.variable_debt_token, reserve.stable_debt_token)
            if int(token, 16)
        ]
        return LogFilter((self.contract.lower(), *tokens), events.TOPICS)

    def discovery_filter(self, state: PoolState) -> LogFilter:
        # Whoever has collateral or debt once received a token of it.
        addresses = self.log_filter(state).addresses
        return LogFilter(addresses[1:], (events.TRANSFER,))

    def touched(self, logs: Iterable[Log]) -> Touched:
        return events.touched(logs)

    def market_call(self, references: Iterable[int]) -> Call:
        # What a record refers to is its e-mode category.
        return lens.market_call(self.contract, references)

    def read_market(self, answer: Answer) -> PoolState:
        if not answer.ok:
            raise ConfigError(
                "does not answer as an Aave v3 pool",
                where=f"markets.{self.name}.address {self.contract}",
                remedy="Name the Pool proxy (PoolAddressesProvider.getPool())",
            )
        return lens.read_market(answer)

    def covers(self, state: PoolState, references: Iterable[int]) -> bool:
        return all(category in state.market.emodes for category in references)

    def accounts_call(self, accounts: Sequence[str]) -> Call:
        return lens.accounts_call(self.contract, accounts)

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        return records.split(accounts, answer)

    def decode(self, record: bytes) -> AccountState:
        return records.decode(record)

    def reference(self, record: bytes) -> int:
        return record[0]

    def entries(self, many: Sequence[bytes]) -> Entries:
        return records.entries(many)

    def weights(self, state: PoolState, timestamp: int, legs: Sequence[int]) -> Weights | None:
        rules = BY_REVISION.get(state.revision)
        return bounds.weights(health.accrue(state.market, timestamp, rules), legs) if rules else None

    def sums(self, many: Sequence[bytes]) -> Mapping[str, int]:
        return records.sums(many)

    def unbalanced(self, state: PoolState, sums: Mapping[str, int]) -> str:
        return totals.unbalanced(state, sums)

    def view_call(self, account: str) -> Call:
        return calls.account_data(self.contract, account)

    def read_view(self, account: str, answer: Answer) -> Valuation | None:
        return calls.read_account_data(account, answer) if answer.ok else None

    # Valuing.

    def revision(self, state: PoolState) -> int:
        return state.revision

    def version(self, state: PoolState) -> str | None:
        rules = BY_REVISION.get(state.revision)
        return rules.version if rules else None

    def base_decimals(self, state: PoolState) -> int:
        return len(str(state.market.base_unit)) - 1

    def decimals(self, state: PoolState, account: str) -> int:
        return self.base_decimals(state)

    def value(
        self, state: PoolState, accounts: Mapping[str, AccountState], timestamp: int
    ) -> list[Valuation]:
        market = health.accrue(state.market, timestamp, self._rules(state))
        return [_valuation(a, health.account_data(raw, market)) for a, raw in accounts.items()]

    def value_records(
        self, state: PoolState, records: Mapping[str, bytes], timestamp: int
    ) -> list[Valuation]:
        valuer = RecordValuer(health.accrue(state.market, timestamp, self._rules(state)))
        return [_valuation(a, valuer.value(record)) for a, record in records.items()]

    def priced_assets(self, state: PoolState) -> list[PricedAsset]:
        return prices.priced_assets(state)

    def leg_assets(self, state: PoolState, legs: Sequence[int]) -> list[str]:
        return prices.leg_assets(state, legs)

    def priced_by(self, state: PoolState, raw: AccountState) -> frozenset[str]:
        return prices.priced_by(state, raw)

    def traded(self, state: PoolState, raw: AccountState) -> frozenset[str]:
        return prices.priced_by(state, raw)

    def notices(self, state: PoolState) -> Mapping[str, str]:
        return {}

    def indices(self, state: PoolState, timestamp: int) -> dict[str, dict[str, int]]:
        market = health.accrue(state.market, timestamp, self._rules(state))
        return {
            each.reserve.asset: {"income": each.income, "debt": each.debt_index}
            for each in market.reserves.values()
        }

    def explain(
        self,
        state: PoolState,
        account: str,
        raw: AccountState,
        timestamp: int,
        symbols: Mapping[str, str],
    ) -> Explanation:
        market = health.accrue(state.market, timestamp, self._rules(state))
        valuation = _valuation(account, health.account_data(raw, market))
        return explain.explain(account, valuation, raw, market, symbols)

    def _rules(self, state: PoolState) -> Rules:
        return BY_REVISION[state.revision]

    # Planning.

    def planning_calls(self, state: PoolState, accounts: Sequence[str], payer: str) -> list[Call]:
        reserves = state.market.reserves.values()
        return [
            *(calls.balance_of(reserve.asset, payer) for reserve in reserves),
            *(calls.symbol(reserve.asset) for reserve in reserves),
            *(calls.scaled_balance_of(r.a_token, account) for account in accounts for r in reserves),
        ]

    def read_planning(self, state: PoolState, accounts: Sequence[str], answers: Iterable[Answer]) -> Facts:
        left = iter(answers)
        assets = [reserve.asset for reserve in state.market.reserves.values()]
        return Facts(
            funds={asset: calls.read_uint(next(left)) for asset in assets},
            symbols={asset: calls.read_symbol(next(left), asset) for asset in assets},
            held={(a, asset): calls.read_uint(next(left)) for a in accounts for asset in assets},
        )

    def gas_price_asset(self, state: PoolState, facts: Facts, symbol: str) -> int | None:
        for reserve in state.market.reserves.values():
            if facts.symbol(reserve.asset) == symbol:
                return reserve.price
        return None

    def plan_liquidation(
        self,
        state: PoolState,
        account: str,
        raw: AccountState,
        timestamp: int,
        facts: Facts,
        funds: Mapping[str, int],
    ) -> list[Plan] | Impossible:
        return liquidating.liquidations(
            self.name,
            self.contract,
            state.market,
            self._rules(state),
            account,
            raw,
            timestamp,
            facts,
            funds,
            state.sentinel,
        )

    def offers(
        self, state: PoolState, account: str, raw: AccountState, timestamp: int, facts: Facts
    ) -> list[Offer] | Impossible:
        return offering.offers(
            self.contract, state.market, self._rules(state), account, raw, timestamp, facts, state.sentinel
        )

    def lenders(self, state: PoolState) -> Mapping[str, Lender]:
        return offering.lenders(self.contract, state)

    def assets(self, state: PoolState, facts: Facts) -> Mapping[str, Asset]:
        listed = {r.asset.lower(): offering.asset(r, facts) for r in state.market.reserves.values()}
        # A claim is worth what it is a claim on.
        claims = {
            r.a_token.lower(): replace(listed[r.asset.lower()], token=r.a_token.lower())
            for r in state.market.reserves.values()
        }
        return listed | claims

    def holding_calls(self, state: PoolState, asset: str, owner: str) -> list[Call]:
        reserve = _by_asset(state, asset)
        return [calls.balance_of(reserve.a_token, owner), calls.symbol(asset)] if reserve else []

    def plan_redemption(
        self, state: PoolState, asset: str, owner: str, answers: Sequence[Answer]
    ) -> Plan | Impossible | None:
        reserve = _by_asset(state, asset)
        held = calls.read_uint(answers[0]) if reserve else 0
        if reserve is None or not held:
            return None
        symbol = calls.read_symbol(answers[1], asset)
        return redeeming.redemption(self.name, self.contract, reserve, symbol, owner, held)

    def plan_top_up(
        self,
        state: PoolState,
        account: str,
        raw: AccountState,
        timestamp: int,
        facts: Facts,
        funds: Mapping[str, int],
        steps: Sequence[Step],
        target: int,
        budget_base: int,
        owner: OwnerFunds | None = None,
    ) -> Plan | Impossible:
        return planning.top_up(
            self.name,
            self.contract,
            state.market,
            self._rules(state),
            account,
            raw,
            timestamp,
            facts,
            funds,
            steps,
            target,
            budget_base,
            owner,
        )

    def unsized_top_ups(
        self,
        state: PoolState,
        account: str,
        raw: AccountState,
        facts: Facts,
        funds: Mapping[str, int],
        steps: Sequence[Step],
        budget_base: int,
        owner: OwnerFunds | None = None,
    ) -> list[Unsized | Impossible]:
        return unsized.top_ups(
            self.name,
            self.contract,
            state.market,
            account,
            raw,
            facts,
            funds,
            steps,
            budget_base,
            owner,
        )

    def owner_calls(self, state: PoolState, owner: str, money: OwnerMoney, operator: str) -> list[Call]:
        return owner_money.owner_calls(_assets(state), owner, money.contract, operator)

    def read_owner(
        self, state: PoolState, money: OwnerMoney, answers: Sequence[Answer], timestamp: int
    ) -> OwnerFunds:
        return owner_money.read_owner(_assets(state), money, answers, timestamp)


def _assets(state: PoolState) -> list[str]:
    return [reserve.asset for reserve in state.market.reserves.values()]


def _by_asset(state: PoolState, asset: str) -> Reserve | None:
    return next((r for r in state.market.reserves.values() if r.asset == asset), None)


def _valuation(account: str, data: AccountData) -> Valuation:
    return Valuation(
        account,
        data.collateral,
        data.debt,
        data.threshold,
        None if data.health == NO_DEBT_HEALTH else data.health,
    )
