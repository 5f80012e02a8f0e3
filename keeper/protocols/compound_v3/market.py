"""A Comet behind the keeper's interface. Values have 8 decimals, as Comet's prices do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from keeper.book.entries import Entries
from keeper.book.source import Touched
from keeper.chain.calls import Answer, Call, Lens
from keeper.chain.logs import Log, LogFilter
from keeper.config import Market as Settings
from keeper.errors import ConfigError
from keeper.margin.lending.comet.account import Account, Holding, base_value, liquidity
from keeper.margin.lending.comet.rates import Totals, present_value
from keeper.margin.lending.comet.terms import BASE_INDEX_SCALE, FACTOR_SCALE
from keeper.margin.lending.weights import Weights
from keeper.plan import Plan
from keeper.protocols import erc20_calls
from keeper.protocols.base import (
    Asset,
    AssetLine,
    Explanation,
    Facts,
    Impossible,
    Offer,
    OwnerFunds,
    PricedAsset,
    Step,
    Valuation,
)
from keeper.protocols.compound_v3 import events, lens, planning, records
from keeper.protocols.compound_v3.lens import Market
from keeper.protocols.compound_v3.planning import Raw
from keeper.protocols.without import Without

BASE_DECIMALS = 8
WAD = 10**18


class CometMarket(Without):
    """Implements MarketAdapter for one Comet."""

    protocol = "compound-v3"
    called = ("supplyTo(address,address,uint256)",)

    def __init__(self, name: str, address: str, from_block: int) -> None:
        self.name = name
        self.contract = address
        self.from_block = from_block

    @classmethod
    def of(cls, name: str, settings: Settings) -> CometMarket:
        return cls(name, settings.address, settings.from_block)

    # Copying: see BookSource.

    def lenses(self) -> tuple[Lens, ...]:
        return (lens.lens(),)

    def log_filter(self, state: Market) -> LogFilter:
        return LogFilter((self.contract.lower(),), events.TOPICS)

    def discovery_filter(self, state: Market) -> LogFilter:
        return self.log_filter(state)

    def touched(self, logs: Iterable[Log]) -> Touched:
        return events.touched(logs)

    def market_call(self, references: Iterable[int]) -> Call:
        return lens.market_call(self.contract)

    def read_market(self, answer: Answer) -> Market:
        if not answer.ok:
            raise ConfigError(
                "does not answer as a Comet",
                where=f"markets.{self.name}.address {self.contract}",
                remedy="Name the Comet proxy (cUSDCv3 or the like)",
            )
        return lens.read_market(answer)

    def covers(self, state: Market, references: Iterable[int]) -> bool:
        return True

    def accounts_call(self, accounts: Sequence[str]) -> Call:
        return lens.accounts_call(self.contract, accounts)

    def read_records(self, accounts: Sequence[str], answer: Answer) -> Mapping[str, bytes]:
        return records.split(accounts, answer)

    def decode(self, record: bytes) -> Raw:
        return Raw(*records.decode(record))

    def reference(self, record: bytes) -> int:
        return 0

    def entries(self, many: Sequence[bytes]) -> Entries:
        return records.entries(many)

    def weights(self, state: Market, timestamp: int, legs: Sequence[int]) -> Weights | None:
        power, need = np.zeros(records.LEGS), np.zeros(records.LEGS)
        opaque = set()
        for leg in legs:
            if leg == records.BASE_LEG:
                if state.base_price is None:
                    opaque.add(leg)
                    continue
                index = state.at(timestamp).borrow_index / BASE_INDEX_SCALE
                need[leg] = index * state.base_price / state.terms.base_scale
                continue
            each = state.collaterals[leg]
            if each.price is None:
                opaque.add(leg)
                continue
            factor = each.terms.liquidate_cf / FACTOR_SCALE
            power[leg] = each.price * factor / each.terms.scale
        # A collateral is rounded down twice, a debt to base units and to its value.
        base_unit = (state.base_price or 0) / state.terms.base_scale
        return Weights(
            power=power, need=need, power_dust=2.0, need_dust=1.0 + base_unit, opaque=frozenset(opaque)
        )

    def sums(self, many: Sequence[bytes]) -> Mapping[str, int]:
        supplied = borrowed = 0
        for record in many:
            principal, _ = records.decode(record)
            supplied, borrowed = supplied + max(principal, 0), borrowed + max(-principal, 0)
        return {"supplied": supplied, "borrowed": borrowed}

    def unbalanced(self, state: Market, sums: Mapping[str, int]) -> str:
        """Principals are only ever added and taken away: they must agree to the unit."""
        totals = {"supplied": state.totals.supply_base, "borrowed": state.totals.borrow_base}
        for name, total in totals.items():
            if sums.get(name, 0) != total:
                return (
                    f"all accounts have {name} a principal of {sums.get(name, 0)}, the market counts {total}"
                )
        return ""

    def view_call(self, account: str) -> Call:
        return lens.valued_call(self.contract, account)

    def read_view(self, account: str, answer: Answer) -> Valuation | None:
        if not answer.ok or len(answer.data) != 160:
            return None
        words = [int.from_bytes(answer.data[i : i + 32], "big") for i in range(0, 160, 32)]
        collateral, debt, weighed, liquidatable, _ = words
        found = _valuation(account, collateral, debt, weighed)
        below = found.health is not None and found.health < WAD
        if below != bool(liquidatable):
            # Comet itself says otherwise than its own numbers: equal to nothing that we compute.
            return Valuation(account, collateral, debt, -1, found.health)
        return found

    # Valuing.

    def revision(self, state: Market) -> int:
        return 3

    def version(self, state: Market) -> str | None:
        return "3"

    def base_decimals(self, state: Market) -> int:
        return BASE_DECIMALS

    def decimals(self, state: Market, account: str) -> int:
        return BASE_DECIMALS

    def value(self, state: Market, accounts: Mapping[str, Raw], timestamp: int) -> list[Valuation]:
        totals = state.at(timestamp)
        return [self._value(state, account, raw, totals) for account, raw in accounts.items()]

    def _value(self, state: Market, account: str, raw: Raw, totals: Totals) -> Valuation:
        has = holdings(state, raw)
        owed = base_value(present_value(min(raw.principal, 0), totals), state.base_price or 0, state.terms)
        weighed = liquidity(Account(0, has), totals, state.terms, lambda each: each.liquidate_cf)
        return _valuation(account, sum(each.value for each in has), -owed, weighed)

    def value_records(self, state: Market, records: Mapping[str, bytes], timestamp: int) -> list[Valuation]:
        return self.value(state, {a: self.decode(record) for a, record in records.items()}, timestamp)

    def priced_assets(self, state: Market) -> list[PricedAsset]:
        prices = [(state.base, state.base_price), *((c.asset, c.price) for c in state.collaterals)]
        return [
            PricedAsset(asset.lower(), price, lens.feed_call(self.contract, asset), erc20_calls.symbol(asset))
            for asset, price in prices
        ]

    def leg_assets(self, state: Market, legs: Sequence[int]) -> list[str]:
        tokens = [*(c.asset.lower() for c in state.collaterals)]
        return [state.base.lower() if leg == records.BASE_LEG else tokens[leg] for leg in legs]

    def priced_by(self, state: Market, raw: Raw) -> frozenset[str]:
        if raw.principal >= 0:
            return frozenset()
        return frozenset(
            {state.base.lower(), *(state.collaterals[place].asset.lower() for place, _ in raw.held)}
        )

    def traded(self, state: Market, raw: Raw) -> frozenset[str]:
        return self.priced_by(state, raw)

    def notices(self, state: Market) -> Mapping[str, str]:
        return {}

    def indices(self, state: Market, timestamp: int) -> dict[str, dict[str, int]]:
        now = state.at(timestamp)
        return {state.base.lower(): {"supply": now.supply_index, "borrow": now.borrow_index}}

    def explain(
        self, state: Market, account: str, raw: Raw, timestamp: int, symbols: Mapping[str, str]
    ) -> Explanation:
        totals = state.at(timestamp)
        valuation = self._value(state, account, raw, totals)
        owed = -present_value(min(raw.principal, 0), totals)
        supplied = present_value(max(raw.principal, 0), totals)
        base = state.base.lower()
        lines = [
            AssetLine(
                base,
                symbols.get(base, base),
                len(str(state.terms.base_scale)) - 1,
                state.base_price or 0,
                supplied,
                0,
                0,
                owed,
                valuation.debt,
                None,
            )
        ]
        lines += [planning.line(state, raw, place, totals, symbols) for place, _ in raw.held]
        formula = "Comet: Σ collateral × liquidation collateral factor ÷ debt"
        return Explanation(valuation, tuple(lines), formula)

    # Planning.

    def _tokens(self, state: Market) -> list[str]:
        return [state.base.lower(), *(each.asset.lower() for each in state.collaterals)]

    def planning_calls(self, state: Market, accounts: Sequence[str], payer: str) -> list[Call]:
        return erc20_calls.facts_calls(self._tokens(state), payer)

    def read_planning(self, state: Market, accounts: Sequence[str], answers: Iterable[Answer]) -> Facts:
        return erc20_calls.read_facts(self._tokens(state), answers)

    def gas_price_asset(self, state: Market, facts: Facts, symbol: str) -> int | None:
        return next((a.price for a in self.assets(state, facts).values() if a.symbol == symbol), None)

    def assets(self, state: Market, facts: Facts) -> Mapping[str, Asset]:
        found = [(state.base, state.base_price, state.terms.base_scale)]
        found += [(c.asset, c.price, c.terms.scale) for c in state.collaterals]
        return {
            token.lower(): Asset(token.lower(), facts.symbol(token), price, unit)
            for token, price, unit in found
            if price is not None
        }

    def offers(
        self, state: Market, account: str, raw: Raw, timestamp: int, facts: Facts
    ) -> list[Offer] | Impossible:
        return planning.offers(
            self.contract, state, account, raw, timestamp, self.assets(state, facts), facts.recipient
        )

    def plan_liquidation(
        self,
        state: Market,
        account: str,
        raw: Raw,
        timestamp: int,
        facts: Facts,
        funds: Mapping[str, int],
    ) -> list[Plan] | Impossible:
        return Impossible(
            "absorbing alone earns nothing: our contract does it together with the purchase of what was "
            "absorbed (keeper contracts deploy)"
        )

    def plan_top_up(
        self,
        state: Market,
        account: str,
        raw: Raw,
        timestamp: int,
        facts: Facts,
        funds: Mapping[str, int],
        steps: Sequence[Step],
        target: int,
        budget_base: int,
        owner: OwnerFunds | None = None,
    ) -> Plan | Impossible:
        if owner is not None:
            return Impossible("owners' own money is not supported in this protocol")
        return planning.top_up(
            self, state, account, raw, timestamp, self.assets(state, facts), funds, steps, target, budget_base
        )


def holdings(state: Market, raw: Raw) -> list[Holding]:
    """The collaterals held, at present prices (0 where a feed fails)."""
    return [
        Holding(balance, state.collaterals[place].price or 0, state.collaterals[place].terms)
        for place, balance in raw.held
    ]


def _valuation(account: str, collateral: int, debt: int, weighed: int) -> Valuation:
    """`threshold` is the average liquidation factor in basis points, rounded down."""
    threshold = weighed * 10_000 // collateral if collateral else 0
    return Valuation(account, collateral, debt, threshold, weighed * WAD // debt if debt else None)
