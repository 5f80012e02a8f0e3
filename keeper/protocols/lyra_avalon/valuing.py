"""What a position must hold by the margin library, at the spot of a state and a given second."""

from __future__ import annotations

from keeper.margin.options.lyra_avalon.minimum import ShortKind
from keeper.margin.rounding import wad_div_down, wad_mul_down
from keeper.model.valuation import Valuation, ratio_down
from keeper.protocols.lyra_avalon.lens import AvalonState, OptionPosition

FIRST_SHORT = 2


def is_short(raw: OptionPosition) -> bool:
    return raw.active and raw.kind >= FIRST_SHORT


def valued(state: AvalonState, account: str, raw: OptionPosition, timestamp: int) -> Valuation:
    """In dollars, but for calls that are collateralised in the token: those in the token."""
    if not raw.active:
        return valuation(account, 0, 0, False, 0, 0, 0, 0)
    spot = state.spot or 0
    if not is_short(raw):
        return valuation(account, 0, 0, False, spot, raw.price, raw.amount, raw.kind)
    board, left = state.boards.get(raw.board), max(raw.expiry - timestamp, 0)
    least = minimum(state, raw, left, spot)
    due = board is not None and not board.frozen and timestamp < raw.expiry and raw.collateral < least
    return valuation(account, raw.collateral, least, due, spot, raw.price, raw.amount, raw.kind)


def minimum(state: AvalonState, raw: OptionPosition, left: int, spot: int) -> int:
    """The least collateral with so many seconds to expiry; 0 where there is no spot."""
    if not spot:
        return 0
    return state.terms.minimum_collateral(ShortKind(raw.kind), raw.price, left, spot, raw.amount)


def valuation(
    account: str, collateral: int, least: int, due: bool, spot: int, price: int, amount: int, kind: int
) -> Valuation:
    """Net is the collateral less what the option would be worth if it ended now."""
    intrinsic = max(price - spot if kind == ShortKind.PUT_QUOTE else spot - price, 0)
    worth = wad_mul_down(intrinsic, amount) if kind >= FIRST_SHORT else 0
    if kind == ShortKind.CALL_BASE and spot:
        worth = wad_div_down(worth, spot)
    parts = {"collateral": collateral, "minimum": least, "amount": amount, "strike": price}
    health = ratio_down(collateral, least)
    return Valuation(account, collateral, least, collateral - worth, due, None, health, parts)
