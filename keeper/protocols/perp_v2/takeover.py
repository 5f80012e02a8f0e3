"""Taking positions of a trader over and closing them at once, by `contracts/src/PerpTakeover.sol`.

Source: perpetual-protocol/perp-curie-contract 2.6 and 2.8, contracts/ClearingHouse.sol, AccountBalance.sol,
Vault.sol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.chain.calldata import encoded
from keeper.margin.perps.perp_v2 import RATIO, Position, liquidatable_size, liquidation_penalty
from keeper.margin.rounding import wad_mul_trunc
from keeper.model.bisection import edge
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import KEPT_PERCENT, Blocked
from keeper.protocols.perp_v2.closing import closed, without
from keeper.protocols.perp_v2.lens import CurieState, Trading
from keeper.protocols.perp_v2.records import Trader
from keeper.protocols.perp_v2.valuing import growths, held, valued

TAKE = "take(address,address[],address,int256,uint256,uint256)"
ERRORS = "perp_v2_errors"
# The sixth argument.
LEAST_AT = 4 + 5 * 32
# Measured: 1,900,000 to 2,000,000, and 560,000 for a market with one range, with room.
TAKE_GAS, CANCEL_GAS, RANGE_GAS = 2_400_000, 300_000, 400_000
# The mark moves until inclusion, and the margin with it: what is not needed comes back at once.
MARGIN_PERCENT = 102
# A size is fine when the best one is known to this part of itself.
FINENESS = 2_000


@dataclass(frozen=True, slots=True)
class Deal:
    """A signed size taken over and closed: margin put up and profit, units of the settlement token."""

    size: int
    margin: int
    profit: int


@dataclass(frozen=True, slots=True)
class Target:
    """One position at one second: `trading` without the trader's ranges, the mark, and the account's value
    (18 decimals)."""

    state: CurieState
    trading: Trading
    mark: int
    value: int
    timestamp: int

    def deal(self, size: int) -> Deal | str:
        """What taking so much over comes to, or why it cannot be done."""
        notional = wad_mul_trunc(size, self.mark)
        penalty = liquidation_penalty(abs(notional), self.state.terms)
        if self._is_uncovered(penalty):
            return "the insurance fund could not cover the bad debt"
        brought = closed(self.trading, size, self.timestamp)
        if brought is None:
            return "the pool's limits do not let anything of it be closed at once"
        reward = self._reward(penalty)
        debt = notional - reward if size > 0 else -notional
        margin = -(-debt * self.state.terms.im_ratio * MARGIN_PERCENT // (RATIO * 100 * self._unit))
        return Deal(size, max(margin, 1), (brought - notional + reward) // self._unit)

    def _reward(self, penalty: int) -> int:
        """The liquidator's part of the penalty: half, all of it where the account's value is below zero."""
        return penalty if self.value < 0 else penalty // 2

    def _is_uncovered(self, penalty: int) -> bool:
        """Whether there is bad debt that the insurance fund, its own part of the penalty included, cannot
        cover. The account's value may come out a unit lower."""
        bad_debt, part = penalty - self.value + self._unit, penalty - self._reward(penalty)
        return bad_debt > 0 and bad_debt > self.state.capacity * self._unit + part

    @property
    def _unit(self) -> int:
        return int(10 ** (18 - self.state.decimals))

    def best(self, most: int) -> Deal | str:
        """The size up to `most` that earns most: the price falls with what is closed."""
        sign, whole = (1 if most > 0 else -1), self.deal(most)
        top = abs(most)
        if isinstance(whole, str):
            least = max(top // FINENESS, 1)
            tried = self.deal(sign * least)
            if isinstance(tried, str):
                return tried
            top = edge(lambda size: isinstance(self.deal(sign * size), Deal), least, top)
        found = [self._peak(sign, top)]
        return max([*found, whole] if isinstance(whole, Deal) else found, key=lambda each: each.profit)

    def _peak(self, sign: int, top: int) -> Deal:
        """Where profit is highest, to one part in `FINENESS`; sizes up to `top` can be closed."""

        def value(size: int) -> Deal:
            deal = self.deal(sign * size)
            return deal if isinstance(deal, Deal) else Deal(0, 1, 0)

        low, high = 0, top
        while high - low > max(top // FINENESS, 2):
            third = (high - low) // 3
            if value(low + third).profit < value(high - third).profit:
                low += third
            else:
                high -= third
        return max(
            (value(each) for each in (low, (low + high) // 2, high, top) if each), key=lambda d: d.profit
        )


def offers(
    takeover: str | None, state: CurieState, account: str, raw: Trader, timestamp: int, dollar: Asset
) -> list[Offer] | Blocked:
    """One for each market in which taking over earns anything, or why there is none."""
    if takeover is None:
        return Blocked(
            "no takeover contract is configured: its positions would have to be taken over "
            "(contracts/src/PerpTakeover.sol; takeover in the market's own table)"
        )
    if state.paused:
        return Blocked("the exchange is paused")
    now = growths(state, timestamp)
    valuation = valued(state, account, raw, now)
    if valuation.equity >= valuation.maintenance:
        return Blocked("it has margin enough for its positions")
    ranged = [each.base for each in raw.positions if each.ranges]
    if stuck := [state.markets[base].symbol for base in ranged if state.markets[base].status != "open"]:
        return Blocked(f"its ranges in {', '.join(stuck)} cannot be cancelled: the market is not open")
    gas = TAKE_GAS + CANCEL_GAS * len(ranged) + RANGE_GAS * sum(len(each.ranges) for each in raw.positions)
    positions = {
        each.base: held(state.markets[each.base], each, now[each.base]).position for each in raw.positions
    }
    found, reasons = [], []
    for each in raw.positions:
        target = _target(state, raw, each.base, valuation.equity, timestamp)
        deal = target if isinstance(target, str) else _best(target, positions, each.base)
        if isinstance(deal, str):
            reasons.append(f"{state.markets[each.base].symbol}: {deal}")
        elif isinstance(target, Target):
            found.append(_offer(takeover, target, deal, account, ranged, each.base, dollar, gas))
    return found or Blocked("; ".join(reasons) or "it has no position to take over")


def _target(state: CurieState, raw: Trader, base: str, value: int, timestamp: int) -> Target | str:
    market = state.markets[base]
    if market.status != "open":
        return f"the market is {market.status}"
    if market.trading is None or market.price is None:
        return "its pool or its prices could not be read"
    ranges = [own for each in raw.positions if each.base == base for own in each.ranges]
    return Target(state, without(market.trading, ranges), market.price, value, timestamp)


def _best(target: Target, positions: Mapping[str, Position], base: str) -> Deal | str:
    all_of_them = list(positions.values())
    most = liquidatable_size(positions[base], all_of_them, target.value, target.state.terms)
    if not most:
        return "there is no position"
    deal = target.best(most)
    if isinstance(deal, Deal) and deal.profit <= 0:
        return "closing it costs more than the penalty pays"
    return deal


def _offer(
    takeover: str,
    target: Target,
    best: Deal,
    account: str,
    ranged: Sequence[str],
    base: str,
    dollar: Asset,
    gas: int,
) -> Offer:
    def deal(spend: int) -> Quote | None:
        size = best.size if spend >= best.margin else _scaled(best.size, max(spend - 2, 0), best.margin)
        found = target.deal(size)
        if isinstance(found, str) or found.profit <= 0 or found.margin > spend:
            return None
        least = max(found.profit * KEPT_PERCENT // 100, 1)
        call = encoded(TAKE, account, list(ranged), base, size, found.margin, least)
        return Quote(found.margin, found.margin, found.margin + found.profit, (call,))

    return Offer(
        dollar, dollar, takeover, (best.margin,), deal, gas, ERRORS, taker="signer", least_at=LEAST_AT
    )


def _scaled(size: int, part: int, whole: int) -> int:
    """So much of a signed size, towards zero."""
    return size * part // whole if size > 0 else -(-size * part // whole)
