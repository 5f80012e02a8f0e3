"""Funding rates and payments, by the vectors' model names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keeper.margin.perps import funding
from tests.unit.margin.vector_files import Vector

Outputs = Mapping[str, Any]


def bitmex_inverse(vector: Vector) -> Outputs:
    inputs = vector.inputs
    contracts = inputs["contracts"]
    paid = funding.funding_paid(
        funding.inverse_value(contracts, inputs["funding_price"]), inputs["funding_rate"]
    )
    pnl = funding.inverse_pnl(contracts, inputs["entry"], inputs["exit"])
    return {
        "value_xbt": funding.inverse_value(contracts, inputs["entry"]),
        "funding_paid_xbt": paid,
        "pnl_xbt": pnl,
        "net_xbt": pnl - paid,
    }


def bitmex_interest(vector: Vector) -> Outputs:
    terms = funding.BitmexTerms(intervals_per_day=vector.inputs["intervals_per_day"])
    quote, base = vector.inputs["quote_rate_daily"], vector.inputs["base_rate_daily"]
    return {"interest_rate": funding.interest_rate(quote, base, terms)}


MODELS: dict[str, Callable[[Vector], Outputs]] = {
    "BitMEX inverse perpetual: value, funding, PnL": bitmex_inverse,
    "BitMEX interest component": bitmex_interest,
}
