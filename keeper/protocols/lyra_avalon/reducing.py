"""Shorts bought back in part or whole: paid with their own collateral, or with the owner's dollars where that
is the token."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keeper.chain.calldata import encoded
from keeper.config.policy import Step
from keeper.margin.options.lyra_avalon.closing import ClosingTerms, ShortLeg, closing_cost
from keeper.margin.options.lyra_avalon.minimum import ShortKind
from keeper.margin.rounding import WAD, wad_mul_down, wad_mul_up
from keeper.model.bisection import edge
from keeper.model.cure import CureRequest
from keeper.model.format import format_amount
from keeper.model.grant import Grant
from keeper.model.offer import Asset
from keeper.model.plan import Blocked, Check
from keeper.protocols.cures import ENDLESS, Cure, needed
from keeper.protocols.lyra_avalon.lens import AvalonState, OptionPosition
from keeper.protocols.lyra_avalon.planning import ERRORS, number
from keeper.protocols.lyra_avalon.rights import ClosingGrant
from keeper.protocols.lyra_avalon.valuing import valued

REDUCE = "reduce(uint256,uint256,uint256,bool)"
# Measured (1,070,000), with room.
GAS = 1_300_000
_AMOUNT_WORD = 3


@dataclass(frozen=True, slots=True)
class ClosingPrice:
    """Dollars that closing an amount costs, and at most may cost; `forced`: no other way is open."""

    cost: int
    most: int
    forced: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """Buying a position back at a time; `slippage` is the share of the cost that it may rise by."""

    terms: ClosingTerms
    leg: ShortLeg
    raw: OptionPosition
    share: int
    slippage: int

    def bound(self, amount: int) -> int:
        """What our contract pays at most, rounded as there."""
        return wad_mul_down(self.leg.pays + wad_mul_down(self.leg.spot, self.share), amount)

    def price(self, amount: int) -> ClosingPrice | None:
        """None where the market does not trade it, or it costs more than the owner lets it."""
        for forced in (False, True):
            cost = closing_cost(self.terms, self.leg, amount, forced=forced)
            if cost is not None:
                most = min(cost + wad_mul_up(cost, self.slippage), self.bound(amount))
                return ClosingPrice(cost, most, forced) if cost <= most else None
        return None

    def after(self, amount: int) -> OptionPosition | None:
        """The position at the worst price that is taken; None where it cannot be had."""
        price, in_token = self.price(amount), self.raw.kind == ShortKind.CALL_BASE
        left = self.raw.collateral - (0 if price is None or in_token else price.most)
        if price is None or left < 0:
            return None
        return replace(self.raw, amount=self.raw.amount - amount, collateral=left)

    def is_open(self, amount: int, dollars: int) -> bool:
        """Whether an amount can be closed and paid for."""
        price = self.price(amount)
        if price is None:
            return False
        return price.most <= (dollars if self.raw.kind == ShortKind.CALL_BASE else self.raw.collateral)


def cure(
    state: AvalonState, raw: OptionPosition, request: CureRequest, step: Step, asset: Asset, grant: Grant
) -> Cure | Blocked:
    """Sized at the worst price that is taken; what closing did not cost stays in the position."""
    board = state.boards.get(raw.board)
    if state.spot is None or state.paused:
        return Blocked("the market is paused, or has no spot price: nothing can be closed")
    if board is None or board.frozen:
        return Blocked("its board is frozen or settled: nothing of it can be closed")
    if not isinstance(grant, ClosingGrant) or grant.terms is None:
        return Blocked("what closing it costs cannot be had")
    leg = leg_of(state, raw, request.timestamp)
    closing = Closing(grant.terms, leg, raw, grant.share, request.most_slippage)

    def then(amount: int) -> int:
        smaller = closing.after(amount)
        if smaller is None:
            return 0
        found = valued(state, request.account, smaller, request.timestamp).health if smaller.amount else None
        return ENDLESS if found is None else found

    most = _most(closing, grant.dollars)
    if not most:
        return Blocked(_why(closing))
    wanted = raw.amount if step.action == "close" else needed(then, request.target, most)
    most = min(most, grant.reduces.get(asset.token, 0))
    if most < wanted and step.action == "close":
        return Blocked(
            "closing it whole is more than its owner lets be taken away today, or than can be paid"
        )
    view = "0x" + encoded("getOptionPosition(uint256)", number(request.account)).hex()

    def check(amount: int, _: int) -> Check:
        return Check(state.token, view, _AMOUNT_WORD, raw.amount - amount, raw.amount - amount)

    def data(amount: int) -> bytes:
        price = closing.price(amount)
        assert price is not None, "it was sized so"
        return encoded(REDUCE, number(request.account), amount, price.most, price.forced)

    return Cure(
        step,
        asset,
        min(wanted, most),
        then,
        grant.via,
        data,
        GAS,
        ERRORS,
        check,
        cost=lambda amount: _given_up(closing, amount),
        words=lambda amount: f"{format_amount(amount, 18)} {asset.symbol} options",
        # Below its least collateral the market leaves no position.
        floor=WAD,
    )


def leg_of(state: AvalonState, raw: OptionPosition, timestamp: int) -> ShortLeg:
    """A short of a live board, as it is traded at a time before its expiry."""
    board, left = state.boards[raw.board], raw.expiry - timestamp
    skew, spot = board.skews[raw.strike], state.spot or 0
    return ShortLeg(ShortKind(raw.kind), raw.price, left, spot, board.iv, skew, state.terms.rate)


def _most(closing: Closing, dollars: int) -> int:
    """The most of the position that can be closed and paid for."""
    whole = closing.raw.amount
    if closing.is_open(whole, dollars):
        return whole
    return edge(lambda amount: closing.is_open(amount, dollars), 0, whole)


def _why(closing: Closing) -> str:
    """Why nothing can be closed."""
    some = -(-closing.raw.amount // 1_000)
    costs = [closing_cost(closing.terms, closing.leg, some, forced=forced) for forced in (False, True)]
    cost = next((each for each in costs if each is not None), None)
    if cost is None:
        return "the market trades its options in no way now: volatility or delta is outside its limits"
    if cost > closing.bound(some):
        return "closing costs more than the share of the price that its owner lets it"
    return "its owner lets no dollars be taken, with which closing it is paid"


def _given_up(closing: Closing, amount: int) -> int:
    """What closing costs beyond what the options would pay if they ended now."""
    price = closing.price(amount)
    return max(price.most - wad_mul_down(closing.leg.pays, amount), 0) if price is not None else ENDLESS
