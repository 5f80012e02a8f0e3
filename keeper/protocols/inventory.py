"""Liquidations paid with the signer's own tokens, out of the offers a protocol makes to anyone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keeper.model.format import format_amount
from keeper.model.offer import Offer, Quote
from keeper.model.plan import Plan, Spend, Trade


def plans(
    market: str, account: str, offers: Sequence[Offer], funds: Mapping[str, int], margin_gas: int = 0
) -> list[Plan]:
    """One plan for each offer that `funds` can pay at least in part, best gain first: the most of it, as a
    greater size never brings less. Offers of several calls need our contract and are left out."""
    found = []
    for offer in offers:
        best: Quote | None = None
        for top in offer.max_sizes:
            deal = offer.deal(min(top, funds.get(offer.pays.token, 0)))
            if deal is not None and len(deal.calls) == 1 and deal.allowance <= funds.get(offer.pays.token, 0):
                best = max(best, deal, key=lambda each: _gain(offer, each)) if best else deal
        if best is not None:
            found.append(_plan(market, account, offer, best, margin_gas))
    return sorted(found, key=lambda plan: -plan.gain_base)


def _gain(offer: Offer, deal: Quote) -> int:
    return offer.gets.worth(deal.received) - offer.pays.worth(deal.repaid)


def _plan(market: str, account: str, offer: Offer, deal: Quote, margin_gas: int) -> Plan:
    paid, got = offer.pays.worth(deal.repaid), offer.gets.worth(deal.received) + offer.besides
    return Plan(
        market=market,
        account=account,
        kind="liquidate",
        action="liquidate",
        target=offer.target,
        data="0x" + deal.calls[0].hex(),
        spend=Spend(offer.pays.token, offer.target if deal.allowance else "", deal.allowance),
        spend_base=offer.pays.worth(deal.allowance),
        gain_base=got - paid,
        gas=offer.gas + offer.cold_gas + margin_gas,
        summary={
            "repay": f"{format_amount(deal.repaid, _decimals(offer.pays.unit))} {offer.pays.symbol}",
            "receive": f"{format_amount(deal.received, _decimals(offer.gets.unit))} {offer.gets.symbol}",
        },
        errors=offer.errors,
        trade=Trade(offer.pays.token, paid, offer.gets.token, got, deal.received),
    )


def _decimals(unit: int) -> int:
    return len(str(unit)) - 1
