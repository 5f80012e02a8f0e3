"""The profit of a liquidation through our contract, and the best one: pair, amount and route. Pure.

profit = what selling the seized collateral brings (exact quote, price impact included) − repaid − the loan's
fee, in units of the profit token; valued at its price, less gas and what the chain charges for data, in base
units.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from keeper.model.offer import Asset, FlashLender, Offer, Quote
from keeper.model.plan import CONTRACT_ERRORS, KEPT_PERCENT, BatchItem, Blocked, FlashLoan, Plan, Spend, Trade
from keeper.venues.base import Exchange

# A size is fine when the best one is known to this part of itself.
FINENESS = 2_000


@dataclass(frozen=True, slots=True)
class ProfitTerms:
    """What liquidations are carried out with: our contract, the exchange for seizures, the lenders.

    `profit_token` None: each liquidation earns in the token that it repays.
    """

    contract: str
    exchange: Exchange
    lenders: Mapping[str, FlashLender]
    profit_token: Asset | None = None


@dataclass(frozen=True, slots=True)
class Sized:
    """One way to carry out an offer; `profit` in units of `earns`."""

    offer: Offer
    deal: Quote
    route: str
    sale: str
    earns: Asset
    loan: FlashLoan | None
    profit: int

    @property
    def worth(self) -> int:
        """The profit in base units, with what comes to the contract's owner besides."""
        return self.earns.worth(self.profit) + self.offer.besides


def best(offers: list[Offer], terms: ProfitTerms, shut: Collection[tuple[str, str]] = ()) -> list[Sized]:
    """The best size of every offer on its best route, most profitable first; not all need be profitable.
    `shut` are routes and sales that were refused: others are preferred."""
    found = []
    for offer in offers:
        ways = _ways(offer, terms)
        ways = [each for each in ways if (each.back, each.sale) not in shut] or ways
        sizes = [sized for each in ways if (sized := _best_size(each)) is not None]
        if sizes:
            found.append(max(sizes, key=lambda each: each.worth))
    return sorted(found, key=lambda each: -each.worth)


def no_way(offers: list[Offer]) -> Blocked:
    """Why offers came to nothing: no route to exchange over, or no lender."""
    pairs = ", ".join(sorted({f"{each.gets.symbol} for {each.pays.symbol}" for each in offers}))
    return Blocked(f"no lender and route for {pairs}")


def plan(market: str, account: str, sized: Sized, terms: ProfitTerms) -> Plan:
    """The plan of one size. The execution of batches fills in `data` and `gas`, and `demanding` what it must
    earn on chain."""
    offer, deal = sized.offer, sized.deal
    item = BatchItem(
        contract=terms.contract,
        target=offer.target,
        calls=tuple("0x" + call.hex() for call in deal.calls),
        pays=offer.pays.token,
        allowance=deal.allowance,
        gets=offer.gets.token,
        expected=deal.received,
        min_got=0,
        loan=sized.loan,
        route=sized.route,
        sale=sized.sale,
        profit_token=sized.earns.token,
        profit=max(sized.profit, 0),
        min_profit=0,
        gas=offer.gas,
        cold_gas=offer.cold_gas,
        fee=_fee_earned(sized),
        cover=_cover(sized, terms.exchange),
    )
    paid = offer.pays.worth(deal.repaid)
    return Plan(
        market=market,
        account=account,
        kind=offer.kind,
        action=offer.action,
        target=terms.contract,
        data="",
        spend=Spend(offer.pays.token, "", 0),
        spend_base=0,
        gain_base=sized.worth,
        gas=0,
        summary={
            "repay": _words(deal.repaid, offer.pays),
            "receive": _words(deal.received, offer.gets),
            "earn": _words(sized.profit, sized.earns),
        },
        errors="+".join(dict.fromkeys([*filter(None, offer.errors.split("+")), CONTRACT_ERRORS])),
        trade=Trade(sized.earns.token, paid, sized.earns.token, paid + sized.worth),
        batch_item=item,
    )


def demanding(chosen: Plan, costs_base: int) -> Plan:
    """The plan made to fail on chain when it would earn less than its costs, or than half of what was
    expected."""
    item = chosen.batch_item
    if item is not None:
        least = _least(item.profit, chosen.gain_base, costs_base)
        return replace(chosen, batch_item=replace(item, min_profit=least))
    if chosen.least_at is None:
        return chosen
    word = f"{_least(chosen.profit, chosen.gain_base, costs_base):064x}"
    start = 2 + 2 * chosen.least_at
    return replace(chosen, data=chosen.data[:start] + word + chosen.data[start + len(word) :])


def _least(profit: int, gain_base: int, costs_base: int) -> int:
    """The least profit to ask for, of an expected one (units): what its costs come to, at least half of it,
    at most all."""
    floor = -(-max(costs_base, 0) * profit // gain_base) if gain_base > 0 else 0
    return min(max(floor, profit * KEPT_PERCENT // 100), profit)


def count(taken: Plan, exchange: Exchange) -> None:
    """Count a plan as carried out: later quotes are as after it."""
    item = taken.batch_item
    if item is None:
        return
    if item.loan is not None and item.loan.kind != "callback":
        exchange.lend(item.loan, item.pays, item.allowance)
    left = item.expected
    if item.pays != item.profit_token and item.route:
        owed = item.allowance + (item.loan.cost(item.allowance) if item.loan else 0)
        spent = exchange.buy(item.route, owed) or 0
        exchange.make(item.route, spent)
        left -= spent
    if item.sale and left > 0:
        exchange.make(item.sale, left)


def _lent_fee(sized: Sized) -> int:
    """The loan's fee in units of its token; 0 where the target itself waits for its money."""
    loan = sized.loan
    return loan.cost(sized.deal.allowance) if loan is not None and loan.kind != "callback" else 0


def _fee_earned(sized: Sized) -> int:
    """The loan's fee in units of what is earned, rounded up."""
    fee, pays, earns = _lent_fee(sized), sized.offer.pays, sized.earns
    if pays.token == earns.token or not fee:
        return fee
    return -(-fee * pays.price * earns.unit // (pays.unit * max(earns.price, 1)))


def _cover(sized: Sized, exchange: Exchange) -> str:
    """The cheapest route from what is earned to what was borrowed, over which others buy the fee of an item
    that failed; it avoids the lender, which is closed meanwhile."""
    loan, pays, earns = sized.loan, sized.offer.pays.token, sized.earns.token
    if loan is None or loan.kind == "callback" or pays == earns:
        return ""
    costs = [
        (cost, route)
        for route in exchange.routes(earns, pays)
        if loan.lender[2:] not in route
        and (cost := exchange.buy(route, max(_lent_fee(sized), 1))) is not None
    ]
    return min(costs)[1] if costs else ""


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to turn what an offer brings into what it takes, over `back`, and into profit, over `sale`; each
    is empty where the tokens are the same."""

    offer: Offer
    terms: ProfitTerms
    back: str
    sale: str
    earns: Asset

    def sized(self, size: int) -> Sized | None:
        """This way at one size; None where it cannot be done."""
        offer, deal = self.offer, self.offer.deal(size)
        if deal is None:
            return None
        direct = self.earns.token == offer.pays.token
        loan = _cheapest(offer, deal.allowance, self.back if direct else self.back + self.sale, self.terms)
        if loan is None and deal.allowance:
            return None
        owed = deal.repaid + (loan.cost(deal.allowance) if loan else 0)
        profit = self._direct(deal.received, owed) if direct else self._converted(deal.received, owed)
        return None if profit is None else Sized(offer, deal, self.back, self.sale, self.earns, loan, profit)

    def _direct(self, received: int, owed: int) -> int | None:
        """The profit of selling everything for the token that is owed."""
        brought = self.terms.exchange.sell(self.back, received) if self.back else received
        return None if brought is None else brought - owed

    def _converted(self, received: int, owed: int) -> int | None:
        """The profit of buying back what is owed, and selling the rest of the seizure."""
        spent = self.terms.exchange.buy(self.back, owed) if self.back else owed
        if spent is None or spent >= received:
            return None
        if not self.sale:
            return received - spent
        after = self.terms.exchange.copy()
        after.make(self.back, spent)
        return after.sell(self.sale, received - spent)


def _ways(offer: Offer, terms: ProfitTerms) -> list[_Way]:
    exchange, earns = terms.exchange, terms.profit_token or offer.pays
    gets, pays = offer.gets.token, offer.pays.token
    backs = exchange.routes(gets, pays) if gets != pays else [""]
    if earns.token == pays:
        return [_Way(offer, terms, back, back, earns) for back in backs]
    sales = exchange.routes(gets, earns.token) if gets != earns.token else [""]
    return [_Way(offer, terms, back, sale, earns) for back in backs for sale in sales]


def _cheapest(offer: Offer, amount: int, routes: str, terms: ProfitTerms) -> FlashLoan | None:
    """The lender with the lowest fee that is not on the routes; the market itself where fees are equal. None
    where nothing need be lent, or nobody lends."""
    token = offer.pays.token
    if not amount:
        return None
    if offer.callback:
        return FlashLoan("callback", offer.target, 0)
    own = terms.lenders.get(token)
    own_left = own.most - terms.exchange.lent(own.loan, token) if own is not None else 0
    lent = own.loan if own is not None and own_left >= amount else None
    for loan in terms.exchange.loans(token, amount):
        if loan.lender[2:] not in routes:
            return loan if lent is None or loan.fee < lent.fee else lent
    return lent


def _best_size(way: _Way) -> Sized | None:
    """The best size over all ranges. Within one, profit rises to a peak and falls: selling more never brings
    more per unit."""
    peaks = [peak for top in way.offer.max_sizes if (peak := _peak(way.sized, top)) is not None]
    return max(peaks, key=_profit, default=None)


def _peak(value: Callable[[int], Sized | None], top: int) -> Sized | None:
    """The best size from 1 to `top`, to one part in `FINENESS`."""
    whole = value(top)
    # Where all collateral is taken before the top is reached, more makes no difference: begin there.
    below = whole.deal.repaid if whole is not None else top
    less = value(below - max(below // FINENESS, 1))
    if whole is not None and (less is None or less.profit <= whole.profit):
        return whole
    low, high = 0, below
    best_seen = max((each for each in (whole, less) if each is not None), key=_profit, default=None)
    while high - low > max(below // FINENESS // 4, 2):
        third = (high - low) // 3
        left, right = value(low + third), value(high - third)
        best_seen = max((e for e in (best_seen, left, right) if e is not None), key=_profit, default=None)
        if right is None or (left is not None and left.profit >= right.profit):
            high -= third
        else:
            low += third
    return best_seen


def _profit(sized: Sized) -> int:
    return sized.profit


def _words(amount: int, asset: Asset) -> str:
    """Whole units for people: enough digits to be seen, none that only look exact."""
    return f"{amount / asset.unit:.6g} {asset.symbol}"
