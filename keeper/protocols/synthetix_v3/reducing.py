"""Positions made smaller: an order is committed now and settled later, at a price that nobody knows yet."""

from __future__ import annotations

from dataclasses import replace

from keeper.chain.calldata import ZERO_ADDRESS, encoded
from keeper.config.policy import Step
from keeper.margin.perps.synthetix_v3.market import fill_price, order_fee
from keeper.margin.rounding import WAD, wad_mul_trunc
from keeper.model.bisection import edge
from keeper.model.cure import CureRequest
from keeper.model.format import format_amount
from keeper.model.grant import Grant
from keeper.model.offer import Asset
from keeper.model.plan import Blocked, Check
from keeper.protocols.cures import ENDLESS, Cure, needed
from keeper.protocols.synthetix_v3.lens import DOLLAR, Perp, PerpsState
from keeper.protocols.synthetix_v3.records import PerpsAccount, Position
from keeper.protocols.synthetix_v3.valuing import TimeMoved, accrued, position, valued

COMMIT = "commitOrder((uint128,uint128,int128,uint128,uint256,bytes32,address))"
REDUCE = "reduce(uint128,uint128,int128,uint128,uint256)"
# Measured through the grant contract with one price: 506,000 and 523,000.
GAS, FEED_GAS = 300_000, 280_000
_SIZE_WORD = 3


def of_perp(identity: int) -> str:
    """The name of a market among what prices are of."""
    return f"market:{identity}"


def position_asset(perp: Perp) -> Asset:
    """A market's position as what a step names."""
    return Asset(of_perp(perp.id), perp.symbol, perp.price or 0, WAD)


def cure(
    market: str,
    state: PerpsState,
    raw: PerpsAccount,
    request: CureRequest,
    step: Step,
    asset: Asset,
    grant: Grant,
) -> Cure | Blocked:
    """Sized for the worse of two: settled at the price of now, or at the worst that the order takes. (A worse
    price is not always worse: losses that are charged lower the cap of the liquidation reward.) It is judged
    again once somebody has settled it."""
    perp = next(each for each in state.perps.values() if of_perp(each.id) == asset.token)
    held = next(each for each in raw.positions if each.market == perp.id)
    price = perp.price
    if not price:
        return Blocked(f"{perp.symbol} has no price: nothing can be committed")
    number = next((i for i, each in enumerate(perp.strategies) if not each.disabled), None)
    if number is None:
        return Blocked(f"orders of {perp.symbol} are not settled now: its strategies are switched off")
    if not state.costs_known:
        return Blocked("what keepers' work costs cannot be had")
    slippage = min(request.most_slippage, grant.share) if grant.via else request.most_slippage
    limit = _limit(price, held.size, slippage)
    reward = state.settle_cost + perp.strategies[number].reward
    now = accrued(state, request.timestamp)

    def then(amount: int) -> int:
        fill = _fill(perp, _change(held, amount))
        return min(settled(amount, fill), settled(amount, limit))

    def settled(amount: int, at: int) -> int:
        smaller = after(perp, raw, held, amount, at, reward, now)
        found = valued(state, request.account, smaller, now).health
        return ENDLESS if found is None else found

    def cost(amount: int) -> int:
        lost = wad_mul_trunc(amount, abs(price - limit))
        return lost + _fee(perp, _change(held, amount), limit) + reward

    whole = abs(held.size)
    wanted = whole if step.action == "close" else needed(then, request.target, whole)
    most = min(whole, grant.reduces.get(asset.token, 0))
    if most < wanted and step.action == "close":
        return Blocked("closing is more than its owner lets be taken away today")
    amount = min(wanted, most)
    if step.action == "reduce" and _is_beyond(perp, _change(held, amount), limit):
        # So much of it as stays within the limit.
        amount = edge(lambda size: not _is_beyond(perp, _change(held, size), limit), 1, amount)
    if _is_beyond(perp, _change(held, amount), limit):
        return Blocked(f"{perp.symbol} cannot be traded within {slippage * 100 / WAD:.2f} % of its price now")
    order = "0x" + encoded("getOrder(uint128)", int(request.account, 16)).hex()

    def check(amount: int, _: int) -> Check:
        word = _change(held, amount) % 2**256
        return Check(market, order, _SIZE_WORD, word, word)

    return Cure(
        step,
        asset,
        amount,
        then,
        grant.via or market,
        lambda amount: _data(request.account, perp, _change(held, amount), number, limit, grant),
        GAS + FEED_GAS * raw.feeds,
        "synthetix_v3_errors",
        check,
        cost=cost,
        words=lambda amount: f"{format_amount(amount, 18)} {perp.symbol}",
    )


def after(
    perp: Perp, raw: PerpsAccount, held: Position, amount: int, price: int, reward: int, now: TimeMoved
) -> PerpsAccount:
    """The account once `amount` of a position was traded away at `price`: profit and loss of the whole
    position settled, fee and reward charged, as AsyncOrder settles."""
    change = _change(held, amount)
    # The rest is entered anew at the same price, so what it gained so far is charged with it.
    pnl = position(replace(perp, price=price), held, now).pnl
    rest = replace(
        held, size=held.size + change, price=price, funding=now.funding[perp.id], interest=now.interest
    )
    positions = tuple(rest if each is held else each for each in raw.positions)
    charged = charge(raw, pnl - _fee(perp, change, price) - reward)
    return replace(charged, positions=tuple(each for each in positions if each.size), order=None)


def charge(raw: PerpsAccount, amount: int) -> PerpsAccount:
    """What is gained pays debt first; what is lost is taken from dollars before it becomes debt."""
    held = dict(raw.collaterals)
    if amount > 0:
        debt, dollars = max(raw.debt - amount, 0), max(amount - raw.debt, 0)
    else:
        has = held.get(DOLLAR, 0)
        dollars = -min(has, -amount)
        debt = raw.debt + max(-amount - has, 0)
    held[DOLLAR] = held.get(DOLLAR, 0) + dollars
    return replace(raw, debt=debt, collaterals=tuple(each for each in held.items() if each[1]))


def _change(held: Position, amount: int) -> int:
    return -amount if held.size > 0 else amount


def _limit(price: int, size: int, slippage: int) -> int:
    """The worst price at which a position of `size` is made smaller; rounded towards the present one, as our
    contract's bound is."""
    cost = price * slippage // WAD
    return price - cost if size > 0 else price + cost


def _fee(perp: Perp, change: int, price: int) -> int:
    return order_fee(change, price, perp.funding.skew, perp.maker_fee, perp.taker_fee)


def _fill(perp: Perp, change: int) -> int:
    """At the market's present price."""
    return fill_price(perp.funding.skew, perp.terms.skew_scale, change, perp.price or 0)


def _is_beyond(perp: Perp, change: int, limit: int) -> bool:
    fill = _fill(perp, change)
    return fill > limit if change > 0 else fill < limit


def _data(account: str, perp: Perp, change: int, strategy: int, limit: int, grant: Grant) -> bytes:
    who = int(account, 16)
    if grant.via:
        return encoded(REDUCE, who, perp.id, change, strategy, limit)
    order = (perp.id, who, change, strategy, limit, bytes(32), ZERO_ADDRESS)
    return encoded(COMMIT, order)
