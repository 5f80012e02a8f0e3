"""An account for people: its cash, its collateral, its positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keeper.margin.options.greeks import DAYS_A_YEAR, black_scholes, position_greeks
from keeper.margin.portfolio.clearinghouse.markets import mark_of
from keeper.margin.portfolio.clearinghouse.values import PRICE_TO_WAD, ClearingLeg, Kind, LegLine
from keeper.margin.rounding import WAD
from keeper.model.valuation import AssetLine, PositionLine
from keeper.protocols.clearinghouse.records import ClearingAccount
from keeper.protocols.clearinghouse.valuing import ClearingMoment

DAY = 86_400
FORMULA = (
    "clearinghouse: equity ÷ (equity − the least value over all scenarios of the maintenance set); in a "
    "scenario every underlying, its volatility and every collateral move at once"
)
_BASIS = 10_000


def name_of(moment: ClearingMoment, instrument: int) -> str:
    """An instrument for people."""
    terms = moment.instruments[instrument]
    if terms.kind is Kind.PERPETUAL:
        return f"perpetual {terms.underlying}"
    return f"{terms.kind.name.lower()} {terms.underlying} {terms.strike / PRICE_TO_WAD:g}"


def collaterals(
    moment: ClearingMoment, raw: ClearingAccount, symbols: Mapping[str, str]
) -> Iterator[AssetLine]:
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


def positions(moment: ClearingMoment, raw: ClearingAccount) -> Iterator[PositionLine]:
    """Every leg, with what it loses in the scenario that is the account's worst of either set: so much of the
    requirement is its own, and less than nothing where it hedges."""
    worst = moment.maintenance.value(raw.state).scenario, moment.initial.value(raw.state).scenario
    for leg in raw.state.legs:
        line = moment.maintenance.table.lines.get(leg.instrument)
        if line is not None:
            yield _position(moment, leg, line, *worst)


def worst_scenario(moment: ClearingMoment, raw: ClearingAccount) -> str:
    """What moves, and how far, in the scenario in which the account is worth least."""
    scenario = moment.maintenance.value(raw.state).scenario
    by = moment.maintenance.table.by_scenario[scenario]
    found = [
        f"underlying {u} {_percent(by.index[u])} (perpetual {_percent(by.perpetual[u])}, volatility "
        f"{_percent(by.volatility[u])})"
        for u in range(len(by.index))
    ]
    found += [f"collateral {c} {_percent(by.collateral[c])}" for c in range(len(by.collateral))]
    return f"worst in scenario {scenario}: {', '.join(found)}"


def _percent(factor: int) -> str:
    return f"{(factor - WAD) / WAD:+.2%}"


def _position(
    moment: ClearingMoment, leg: ClearingLeg, line: LegLine, scenario: int, wider: int
) -> PositionLine:
    terms, mark = moment.instruments[leg.instrument], mark_of(line)
    table = moment.maintenance.table
    size = leg.size * PRICE_TO_WAD
    here = table.value(leg.instrument, leg.size, -1)
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
        here - moment.initial.table.value(leg.instrument, leg.size, wider),
        here - table.value(leg.instrument, leg.size, scenario),
        None,
        None,
        left,
        _greeks(moment, leg, line),
    )


def _greeks(moment: ClearingMoment, leg: ClearingLeg, line: LegLine) -> dict[str, int]:
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
