"""A position for people: its collateral, the spot at which it breaks, its Greeks, the days that are left."""

from __future__ import annotations

from keeper.margin.options.greeks import DAYS_A_YEAR, black_scholes, position_greeks
from keeper.margin.options.lyra_avalon.breaking import breaking_spot
from keeper.margin.options.lyra_avalon.minimum import ShortKind
from keeper.margin.rounding import WAD
from keeper.model.valuation import AssetLine, PositionLine, Valuation
from keeper.protocols.lyra_avalon.lens import AvalonState, OptionPosition
from keeper.protocols.lyra_avalon.valuing import is_short

KINDS = ("long call", "long put", "short call in the token", "short call in dollars", "short put")
FORMULA = "Avalon: collateral ÷ the least collateral, the option's price at a shocked spot and volatility"
DAY = 86_400
_LONG_PUT = 1


def collateral(raw: OptionPosition, token: str, symbol: str, price: int) -> AssetLine:
    worth = raw.collateral
    return AssetLine(token, symbol, 18, price, worth, worth, 10_000)


def position(state: AvalonState, worth: Valuation, raw: OptionPosition, timestamp: int) -> PositionLine:
    """One that is open, with what it is worth."""
    short, left = is_short(raw), max(raw.expiry - timestamp, 0)
    breaks = _breaks(state, raw, left) if short and left else None
    falls = raw.kind == ShortKind.PUT_QUOTE
    return PositionLine(
        f"board:{raw.board}",
        f"{KINDS[raw.kind]} {raw.price // WAD}",
        -raw.amount if short else raw.amount,
        raw.price,
        state.spot or 0,
        worth.net - worth.equity,
        0,
        worth.maintenance,
        worth.maintenance,
        breaks if falls else None,
        None if falls else breaks,
        left / DAY,
        greeks(state, raw, timestamp),
    )


def greeks(state: AvalonState, raw: OptionPosition, timestamp: int) -> dict[str, int]:
    """At the strike's present volatility, which the next trade pays, not at the averages that the contract's
    cache is made of; 18 decimals, in dollars whatever the collateral is. None at expiry or without a spot."""
    board = state.boards.get(raw.board)
    if board is None or not state.spot or timestamp >= raw.expiry:
        return {}
    volatility = board.volatility(raw.strike)
    if not volatility:
        return {}
    years = (raw.expiry - timestamp) / DAY / DAYS_A_YEAR
    is_call = raw.kind not in (_LONG_PUT, ShortKind.PUT_QUOTE)
    numbers = (state.spot / WAD, raw.price / WAD, years, volatility / WAD)
    one = black_scholes(*numbers, is_call, state.terms.rate / WAD)
    size = (-raw.amount if is_short(raw) else raw.amount) / WAD
    return {name: round(number * WAD) for name, number in position_greeks(one, size).items()}


def _breaks(state: AvalonState, raw: OptionPosition, left: int) -> int | None:
    return breaking_spot(state.terms, ShortKind(raw.kind), raw.price, left, raw.amount, raw.collateral)
