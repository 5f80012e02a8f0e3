"""Exact values straight from records: the same integers as `keeper.margin.lending.aave.health`, faster.

A tick may need thousands; decoding each into objects would take most of the time. Records of unusual kind
take the slow way.
"""

from __future__ import annotations

from keeper.margin.lending.aave import health
from keeper.margin.lending.aave.fixed import WAD
from keeper.margin.lending.aave.health import AccruedMarket
from keeper.margin.lending.aave.state import NO_DEBT_HEALTH, AccountData
from keeper.model.valuation import Valuation
from keeper.protocols.aave_v3 import records

_Terms = tuple[int, int, int, int, int, bool]


def valuation(account: str, data: AccountData) -> Valuation:
    """Decode a view's answer for an account, the pool's own or ours."""
    return Valuation(
        account,
        health.equity(data),
        data.debt,
        data.collateral - data.debt,
        data.health < WAD,
        None,
        None if data.health == NO_DEBT_HEALTH else data.health,
        {"collateral": data.collateral, "debt": data.debt, "threshold": data.threshold},
    )


class RecordValuer:
    """Values records against one market at one moment."""

    def __init__(self, market: AccruedMarket) -> None:
        self.market = market
        self._terms: dict[tuple[int, int], _Terms] = {}

    def value(self, record: bytes) -> AccountData:
        """What the pool's own view would answer for the account of this record."""
        if len(record) != 34 + 34 * record[1]:
            return health.account_data(records.decode(record), self.market)
        rules = self.market.rules
        supplied, owed, debt_value = rules.supplied, rules.owed, rules.debt_value
        number, category = int.from_bytes, record[0]
        collateral = debt = weighted = 0
        for at in range(34, len(record), 34):
            key = (record[at], category)
            income, debt_index, price, unit, threshold, counts = self._terms.get(key) or self._learn(key)
            flags = record[at + 1]
            if flags & 1 and counts:
                value = supplied(number(record[at + 2 : at + 18], "big"), income) * price // unit
                collateral += value
                weighted += value * threshold
            if flags & 2:
                scaled = number(record[at + 18 : at + 34], "big")
                debt += debt_value(owed(scaled, debt_index) if scaled else 0, price, unit)
        return health.summarise(collateral, weighted, debt, rules)

    def _learn(self, key: tuple[int, int]) -> _Terms:
        """Learn how a reserve counts for an account in a category."""
        reserve_id, category = key
        market = self.market
        accrued, emode, rules = market.reserves[reserve_id], market.emode(category), market.rules
        inside = health.in_emode(accrued, category, emode, rules)
        found = self._terms[key] = (
            accrued.income,
            accrued.debt_index,
            health.price_for(accrued, category, emode, rules),
            accrued.unit,
            emode.threshold if inside else accrued.threshold,
            rules.threshold_zero_counts or accrued.threshold != 0,
        )
        return found
