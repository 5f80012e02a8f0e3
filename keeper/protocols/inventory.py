"""Liquidations paid with the signer's own tokens, from the offers that a protocol makes to anyone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from keeper.model.offer import Offer, Quote
from keeper.model.plan import Blocked, Plan, Spend, Trade, kept_of


def liquidations(
    market: str, account: str, offers: Sequence[Offer] | Blocked, funds: Mapping[str, int]
) -> list[Plan] | Blocked:
    """The plans of `plans`, or why there is none."""
    if isinstance(offers, Blocked):
        return offers
    if found := plans(market, account, offers, funds):
        return found
    wanted = ", ".join(sorted({offer.pays.symbol for offer in offers}))
    if any(offer.later for offer in offers):
        return Blocked(
            "acting alone earns nothing: our contract does it together with the purchase of what it brings "
            f"(keeper contracts deploy), or the signer holds {wanted} to buy it with"
        )
    return Blocked(f"the signer holds too little of what could be repaid ({wanted})")


def plans(market: str, account: str, offers: Sequence[Offer], funds: Mapping[str, int]) -> list[Plan]:
    """One plan per offer that `funds` can pay at least in part, best gain first, each of the largest size, as
    a greater size never brings less. Offers of several calls need our contract and are left out; of offers
    bought later only the best remains, as they share one call."""
    found: list[Plan] = []
    later: list[Plan] = []
    for offer in offers:
        if offer.taker == "contract":
            continue
        quotes = list(_affordable(offer, funds))
        if quotes:
            best = max(quotes, key=lambda quote: _gain(offer, quote))
            (later if offer.later else found).append(_plan(market, account, offer, best))
    found += sorted(later, key=lambda plan: -plan.gain_base)[:1]
    return sorted(found, key=lambda plan: -plan.gain_base)


def _affordable(offer: Offer, funds: Mapping[str, int]) -> Iterator[Quote]:
    """The largest size of each range that `funds` can pay."""
    token = offer.pays.token
    has = funds.get(token, 0)
    if offer.later:
        # What was opened before is bought first: the same money buys but once.
        has = max(has - funds.get(kept_of(token), 0), 0)
    for top in offer.max_sizes:
        quote = offer.deal(min(top, has))
        if quote is None or len(quote.calls) != 1:
            continue
        if quote.allowance > has >= quote.repaid and quote.call_for is not None:
            quote = replace(quote, allowance=has, calls=(quote.call_for(has),))
        if quote.allowance <= has:
            yield quote


def _gain(offer: Offer, quote: Quote) -> int:
    return offer.gets.worth(quote.received) - offer.pays.cost(quote.repaid)


def _plan(market: str, account: str, offer: Offer, quote: Quote) -> Plan:
    paid, got = offer.pays.cost(quote.repaid), offer.gets.worth(quote.received) + offer.besides
    plan = Plan(
        market=market,
        account=account,
        kind=offer.kind,
        action=offer.action,
        target=offer.target,
        data="0x" + quote.calls[0].hex(),
        spend=Spend(offer.pays.token, offer.target if quote.allowance else "", quote.allowance),
        spend_base=offer.pays.cost(quote.allowance),
        gain_base=got - paid,
        gas=offer.gas_alone,
        summary={
            **({"repay": offer.pays.words(quote.repaid)} if quote.repaid else {}),
            "receive": offer.gets.words(quote.received),
        },
        errors=offer.errors,
        redeem=offer.redeem,
        profit=quote.received - quote.repaid if offer.least_at is not None else 0,
        least_at=offer.least_at,
        trade=Trade(offer.pays.token, paid, offer.gets.token, got, 0 if offer.redeem else quote.received),
        value=offer.value,
        valid_until=offer.valid_until,
    )
    if not offer.later:
        return plan
    # The call alone spends nothing: the money is kept for the purchase in a later block.
    summary, spend = {offer.later: "to buy what it brings in the next block"}, Spend(offer.pays.token, "", 0)
    return replace(
        plan, action=offer.later, spend=spend, spend_base=0, summary=summary, trade=None, kept=quote.repaid
    )
