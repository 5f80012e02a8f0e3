"""An account for people: its cash, its collateral, its positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keeper.margin.options.greeks import DAYS_A_YEAR, black_scholes, position_greeks
from keeper.margin.portfolio.clearinghouse.markets import mark_of
from keeper.margin.portfolio.clearinghouse.values import PRICE_TO_WAD, ClearingLeg, Kind, LegLine
from keeper.margin.rounding import WAD
from keeper.model.valuation import AssetLine, PositionLine
from keeper.protocols.clearinghouse.records import ClearingAccount
from keeper.protocols.clearinghouse.valuing import Moment

DAY = 86_400
FORMULA = (
    "clearinghouse: equity ÷ (equity − the least value over all scenarios of the maintenance set); in a "
    "scenario every underlying, its volatility and every collateral move at once"
)
_BASIS = 10_000


def name_of(moment: Moment, instrument: int) -> str:
    """An instrument for people."""
    terms = moment.instruments[instrument]
    if terms.kind is Kind.PERPETUAL:
        return f"perpetual {terms.underlying}"
    return f"{terms.kind.name.lower()} {terms.underlying} {terms.strike / PRICE_TO_WAD:g}"


def collaterals(moment: Moment, raw: ClearingAccount, symbols: Mapping[str, str]) -> Iterator[AssetLine]:
    for each, quote, amount in zip(
        moment.state.collaterals, moment.snapshot.quotes, raw.state.collateral, strict=False
    ):
        if amount:
            weight = _BASIS - quote.haircut * _BASIS // WAD
            worth = amount * quote.price // WAD
            price = quote.price * 10**each.decimals // WAD
            yield AssetLine(
                each.token, symbols.get(each.token, each.token), each.decimals, price, amount, worth, weight
            )


def positions(moment: Moment, raw: ClearingAccount) -> Iterator[PositionLine]:
    """Every leg; what it needs alone is its own worst loss over the set."""
    for leg in raw.state.legs:
        line = moment.maintenance.table.lines.get(leg.instrument)
        if line is not None:
            yield _position(moment, leg, line)


def _position(moment: Moment, leg: ClearingLeg, line: LegLine) -> PositionLine:
    terms, mark = moment.instruments[leg.instrument], mark_of(line)
    table = moment.maintenance.table
    size = leg.size * PRICE_TO_WAD
    here = table.value(leg.instrument, leg.size, -1)
    worst = min(table.value(leg.instrument, leg.size, each) for each in range(len(table.scenarios.steps)))
    funding = 0
    if terms.kind is Kind.PERPETUAL:
        funding = -leg.size * moment.snapshot.spots[terms.underlying].funding
    profit = leg.size * mark - leg.cost
    entry = abs(leg.cost) * WAD // abs(size) if size else 0
    left = max(terms.expiry - moment.timestamp, 0) / DAY if terms.expiry else None
    return PositionLine(
        f"instrument:{leg.instrument}",
        name_of(moment, leg.instrument),
        size,
        entry,
        mark * PRICE_TO_WAD,
        profit,
        funding,
        here - worst,
        here - worst,
        None,
        None,
        left,
        _greeks(moment, leg, line),
    )


def _greeks(moment: Moment, leg: ClearingLeg, line: LegLine) -> dict[str, int]:
    terms = moment.instruments[leg.instrument]
    left = terms.expiry - moment.timestamp
    if terms.kind is Kind.PERPETUAL or left <= 0 or not line.deviation:
        return {}
    years = left / DAY / DAYS_A_YEAR
    volatility = line.deviation / WAD / years**0.5
    spot = (line.settled + line.price * line.open / WAD) / PRICE_TO_WAD
    one = black_scholes(spot, line.strike / PRICE_TO_WAD, years, volatility, terms.kind is Kind.CALL, 0.0)
    found = position_greeks(one, leg.size / PRICE_TO_WAD)
    return {name: round(number * WAD) for name, number in found.items()}
