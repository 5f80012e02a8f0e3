"""What of a market's upkeep is due, which anyone may do and nobody is paid for, with the exact calls.

Source: @lyrafinance/protocol 0.1.3-alpha, OptionGreekCache.isBoardCacheStale and updateBoardCachedGreeks,
OptionMarket.settleExpiredBoard, ShortCollateral.settleOptions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.chain.calldata import calldata, encoded
from keeper.margin.options.lyra_avalon.minimum import ShortKind
from keeper.margin.rounding import WAD, wad_div_down, wad_mul_down
from keeper.model.chore import Chore
from keeper.model.format import format_amount
from keeper.model.plan import Check
from keeper.protocols.lyra_avalon.lens import AvalonBoard, AvalonState, OptionPosition
from keeper.protocols.lyra_avalon.planning import ERRORS, number
from keeper.protocols.lyra_avalon.valuing import is_short

UPDATE = "updateBoardCachedGreeks(uint256)"
SETTLE = "settleExpiredBoard(uint256)"
PAY = "settleOptions(uint256[])"
_STATE_WORD, _SETTLED = 5, 4
MOST_POSITIONS = 50
"""Of one call."""
TOO_LATE = 300
"""Seconds before expiry in which Greeks are left as they are: what lands after it reverts."""


@dataclass(frozen=True, slots=True)
class ChoreGas:
    """What a call takes, with room, of one that does nothing and of each strike or position besides."""

    once: int
    each: int

    def of(self, count: int) -> int:
        return self.once + count * self.each


# Measured with the package's double of Synthetix: 200,000 + 148,000 a strike; 280,000 + 95,000 a strike;
# 20,000 + 78,000 a position, of which a fifth came back. A real one's tokens take more: a rehearsal tells.
UPDATE_GAS = ChoreGas(300_000, 190_000)
SETTLE_GAS = ChoreGas(450_000, 150_000)
PAY_GAS = ChoreGas(400_000, 120_000)


def jobs(
    market: str,
    state: AvalonState,
    positions: Mapping[str, OptionPosition],
    timestamp: int,
    most: int = MOST_POSITIONS,
) -> list[Chore]:
    """All that is due in a block of this timestamp or a later one, in the order in which it must be sent;
    nothing while the market is paused or has no spot, for then all of it reverts.

    Boards that end come first: the spot of the very block that settles one is its settlement price. Then
    positions of settled boards are paid, `most` in a call, those first that owe more than they have: only
    with them the pool gives back what it took too much of. Where it has too little, such a call reverts: a
    smaller `most` may help. Of the others all are listed whom the vault can pay: rounding alone may leave the
    last one a unit short, whom no call can pay until somebody gives that unit.
    """
    if state.spot is None or state.paused:
        return []
    ended = [each for each in state.boards.values() if timestamp >= each.expiry]
    found = [_settling(market, state.spot, each) for each in ended]
    found += _paying(state, positions, most)
    return found + [
        _updating(state, each)
        for each in state.boards.values()
        if timestamp < each.expiry - TOO_LATE and _is_stale(state, state.spot, each, timestamp)
    ]


def owed(state: AvalonState, raw: OptionPosition, price: int) -> int:
    """What a short whose board was settled at `price` owes the pool, in what it is collateralised with.
    Tokens at the settlement fee of today, which governance may have changed since."""
    intrinsic = max(raw.price - price if raw.kind == ShortKind.PUT_QUOTE else price - raw.price, 0)
    if raw.kind != ShortKind.CALL_BASE:
        return wad_mul_down(intrinsic, raw.amount)
    kept = WAD - state.care.settlement_fee
    ratio = wad_div_down(wad_div_down(intrinsic, price), kept) if kept > 0 else WAD
    return wad_mul_down(min(ratio, WAD), raw.amount)


def _is_stale(state: AvalonState, spot: int, board: AvalonBoard, timestamp: int) -> bool:
    moved = abs(spot - board.cached_spot)
    too_far = moved >= wad_mul_down(board.cached_spot, state.care.stale_move)
    return too_far or timestamp - board.updated > state.care.stale_after


def _updating(state: AvalonState, board: AvalonBoard) -> Chore:
    gas = UPDATE_GAS.of(len(board.skews))
    why = f"the cached Greeks of board {board.id} are stale"
    is_stale = calldata("isBoardCacheStale(uint256)", board.id)
    cache, fresh = state.cache.lower(), Check(state.cache.lower(), is_stale, 0, 0, 0)
    return Chore("update Greeks", cache, encoded(UPDATE, board.id), gas, why, fresh, ERRORS)


def _settling(market: str, spot: int, board: AvalonBoard) -> Chore:
    why = (
        f"board {board.id} has expired; it is settled at the spot of the block that this is in, "
        f"now {format_amount(spot, 18)}"
    )
    settled_at = calldata("boardToPriceAtExpiry(uint256)", board.id)
    done = Check(market.lower(), settled_at, 0, 1)
    gas = SETTLE_GAS.of(len(board.skews))
    return Chore("settle board", market.lower(), encoded(SETTLE, board.id), gas, why, done, ERRORS)


def _paying(state: AvalonState, positions: Mapping[str, OptionPosition], most: int) -> list[Chore]:
    """Longs are paid by the pool, which has set it aside; shorts by the vault."""
    if not state.care.settled:
        return []
    insolvent, others = list[str](), list[str]()
    has = {True: state.care.vault_base, False: state.care.vault_quote}
    for account in sorted(positions):
        raw = positions[account]
        price = state.care.settled.get(raw.board)
        if not raw.active or price is None:
            continue
        gets = raw.collateral - owed(state, raw, price) if is_short(raw) else 0
        in_token = raw.kind == ShortKind.CALL_BASE
        if gets < 0:
            insolvent.append(account)
        elif gets <= has[in_token]:
            has[in_token] -= gets
            others.append(account)
    return [
        *_calls(state, positions, insolvent, most, "owe more than they have"),
        *_calls(state, positions, others, most, "are paid out to their owners"),
    ]


def _calls(
    state: AvalonState,
    positions: Mapping[str, OptionPosition],
    accounts: Sequence[str],
    most: int,
    what: str,
) -> list[Chore]:
    found = []
    for at in range(0, len(accounts), most):
        some = [number(each) for each in accounts[at : at + most]]
        prices = sorted({state.care.settled[positions[each].board] for each in accounts[at : at + most]})
        settled = " and ".join(format_amount(price, 18) for price in prices)
        why = f"{len(some)} positions of boards settled at {settled} {what}"
        target, gas = state.care.vault.lower(), PAY_GAS.of(len(some))
        view = calldata("getOptionPosition(uint256)", some[-1])
        paid = Check(state.token.lower(), view, _STATE_WORD, _SETTLED, _SETTLED)
        found.append(Chore("settle positions", target, encoded(PAY, some), gas, why, paid, ERRORS))
    return found
