"""Positions made smaller: traded back against the pool at once, by a delegate of the trader's or by
itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call
from keeper.config.policy import Step
from keeper.margin.rounding import WAD, wad_mul_trunc
from keeper.model.bisection import edge
from keeper.model.cure import CureRequest
from keeper.model.format import format_amount
from keeper.model.grant import NOTHING, Grant
from keeper.model.offer import Asset
from keeper.model.plan import Blocked, Check
from keeper.protocols.cures import ENDLESS, MOST, Cure, needed
from keeper.protocols.grants import GrantReads, positions_of
from keeper.protocols.perp_v2.closing import closed
from keeper.protocols.perp_v2.lens import CurieBook, CurieState, Trading
from keeper.protocols.perp_v2.records import StoredPosition, Trader
from keeper.protocols.perp_v2.valuing import growths, valued

REDUCE = "reduce(address,address,int256,uint256)"
HAS_RIGHT = "hasRight(bytes32)"
OPEN = "openPosition((address,bool,bool,uint256,uint256,uint256,uint160,bytes32))"
SIZE = "getTakerPositionSize(address,address)"
# Measured: 685,000 to 876,000, with room.
GAS = 1_000_000
# No less of a position is traded than one part in so many.
FINEST = 10_000
# A signer's own order that is mined later might open the other side.
_PATIENCE = 600


@dataclass(frozen=True, slots=True)
class DelegateReads:
    """What one trader lets be done; `grant` is our contract (empty: none), `bases` the markets' tokens."""

    grant: str
    trader: str
    bases: tuple[str, ...]
    payer: str

    def calls(self) -> list[Call]:
        """What `read` looks up."""
        return self._granted.calls() if self.grant and not self._is_own else []

    def read(self, answers: Mapping[Call, Answer]) -> Grant:
        """A signer may do with its own account what it likes."""
        if self._is_own:
            return Grant("", True, dict.fromkeys(self.bases, MOST))
        return self._granted.read(answers) if self.grant else NOTHING

    @property
    def _is_own(self) -> bool:
        return self.trader.lower() == self.payer.lower()

    @property
    def _granted(self) -> GrantReads:
        account = int(self.trader, 16).to_bytes(32, "big")
        places = positions_of(self.bases, [int(base, 16) for base in self.bases])
        right = Call(self.grant, encoded(HAS_RIGHT, account))
        return GrantReads(self.grant, account, places, self.payer, None, right)


def position_asset(market: CurieBook) -> Asset:
    """A market's position as what a step names."""
    return Asset(market.base, market.symbol, market.price or 0, WAD)


def cure(
    house: str, state: CurieState, raw: Trader, request: CureRequest, step: Step, asset: Asset, grant: Grant
) -> Cure | Blocked:
    """Sized by the pool's own mathematics, fees included, at the mark of the planned second."""
    market = state.markets[asset.token]
    held = next(each for each in raw.positions if each.base == asset.token)
    if held.ranges:
        return Blocked(
            f"its ranges in {market.symbol} would trade against it, and no delegate can remove them"
        )
    if market.status != "open" or market.trading is None or not market.price:
        return Blocked(f"the market of {market.symbol} is {market.status}, or its pool could not be read")
    trading, now, most = market.trading, growths(state, request.timestamp), abs(held.size)
    if not most:
        return Blocked(f"there is no position in {market.symbol}")
    slippage = min(request.most_slippage, grant.share) if grant.via else request.most_slippage

    def then(amount: int) -> int:
        brought = _brought(trading, held, amount, slippage, request.timestamp)
        if brought is None:
            return -1
        found = valued(state, request.account, after(raw, held, amount, brought), now).health
        return ENDLESS if found is None else found

    def cost(amount: int) -> int:
        brought = _brought(trading, held, amount, slippage, request.timestamp)
        worth = wad_mul_trunc(amount if held.size > 0 else -amount, market.price or 0)
        return max(worth - (brought if brought is not None else worth), 0)

    def takes(amount: int) -> bool:
        return _brought(trading, held, amount, slippage, request.timestamp) is not None

    open_now = min(most, grant.reduces.get(asset.token, 0))
    if step.action == "close" and open_now < most:
        return Blocked("closing is more than its owner lets be taken away today")
    tradable = open_now if takes(open_now) else edge(takes, max(open_now // FINEST, 1), open_now)
    amount = tradable if step.action == "close" else needed(then, request.target, tradable)
    if not takes(amount) or (step.action == "close" and amount < most):
        return Blocked(
            f"{market.symbol} cannot be traded within {slippage * 100 / WAD:.2f} % of its index and within "
            "the limits of its pool now"
        )
    view = "0x" + encoded(SIZE, request.account, asset.token).hex()

    def check(size: int, _: int) -> Check:
        word = (held.size - size if held.size > 0 else held.size + size) % 2**256
        return Check(state.account_balance, view, 0, word, word)

    return Cure(
        step,
        asset,
        amount,
        then,
        grant.via or house,
        lambda size: _data(request, held, size, trading, slippage, grant),
        GAS,
        "perp_v2_errors",
        check,
        cost=cost,
        words=lambda size: f"{format_amount(size, 18)} {market.symbol}",
    )


def after(raw: Trader, held: StoredPosition, amount: int, brought: int) -> Trader:
    """The trader once so much of a position was traded back for `brought` of quote, signed: profit that is
    realized counts as much as profit that is not."""
    size = held.size - amount if held.size > 0 else held.size + amount
    rest = replace(held, size=size, notional=held.notional + brought)
    return replace(raw, positions=tuple(rest if each is held else each for each in raw.positions))


def _brought(
    trading: Trading, held: StoredPosition, amount: int, slippage: int, timestamp: int
) -> int | None:
    """Quote for so much of the position, negative what it costs; None where the pool's limits, or the bound
    on the price, do not let it."""
    brought = closed(trading, amount if held.size > 0 else -amount, timestamp)
    if brought is None:
        return None
    bound = _bound(trading, held, amount, slippage)
    return brought if (brought >= bound if held.size > 0 else -brought <= bound) else None


def _bound(trading: Trading, held: StoredPosition, amount: int, slippage: int) -> int:
    """The least quote that a sale brings, or the most that a purchase costs, as our contract reckons it."""
    worth = amount * trading.index // WAD
    cost = worth * slippage // WAD
    return worth - cost if held.size > 0 else worth + cost


def _data(
    request: CureRequest,
    held: StoredPosition,
    amount: int,
    trading: Trading,
    slippage: int,
    grant: Grant,
) -> bytes:
    bound, sells = _bound(trading, held, amount, slippage), held.size > 0
    if grant.via:
        return encoded(REDUCE, request.account, held.base, -amount if sells else amount, bound)
    order = (held.base, sells, sells, amount, bound, request.timestamp + _PATIENCE, 0, bytes(32))
    return encoded(OPEN, order)
