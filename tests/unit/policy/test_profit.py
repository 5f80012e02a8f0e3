"""The best pair, size and route of a liquidation, against trying them all."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from keeper.model.offer import Asset, FlashLender, Offer, Quote
from keeper.model.plan import FlashLoan, Plan, Spend
from keeper.policy.profit import ProfitTerms, best, count, demanding, plan
from keeper.venues.base import Exchange
from keeper.venues.uniswap_v3.exchange import UniswapV3Exchange, unpacked
from keeper.venues.uniswap_v3.pool import Pool
from keeper.venues.uniswap_v3.tick_math import sqrt_ratio_at, tick_at

pytestmark = pytest.mark.unit

UNIT = 10**18
AAVE = FlashLoan("aave-v3", "0x" + "aa" * 20, 500)
TRIES = 1_500


def asset(number: int, price: int) -> Asset:
    return Asset(f"0x{number:040x}", f"T{number}", price * 10**8, UNIT)


DOLLAR, OTHER, ETHER, GOLD = asset(1, 1), asset(2, 1), asset(3, 2_500), asset(4, 40)
ASSETS = (DOLLAR, OTHER, ETHER, GOLD)


def pool(number: int, one: Asset, other: Asset, fee: int, dollars: int) -> Pool:
    """Liquidity over the whole range at the assets' prices, worth `dollars` a side."""
    low, high = sorted((one, other), key=lambda each: each.token)
    tick = tick_at(int((low.price / high.price) ** 0.5 * 2**96))
    price = sqrt_ratio_at(tick)
    amount1 = dollars * 10**8 * UNIT // high.price
    return Pool(
        address=f"0x{0xF00 + number:040x}",
        token0=low.token,
        token1=high.token,
        fee=fee,
        spacing=60,
        price=price,
        tick=tick,
        liquidity=amount1 * 2**96 // price,
        balance0=dollars * 10**8 * UNIT // low.price,
        balance1=amount1,
        first_word=-58,
        last_word=57,
        ticks=(-887220, 887220),
        nets=(0, 0),
    )


def market(dice: random.Random) -> UniswapV3Exchange:
    """Several pools for most pairs, of fees and depths that make each best for some size."""
    pools: list[Pool] = []
    for one, other in ((DOLLAR, ETHER), (OTHER, ETHER), (DOLLAR, GOLD), (ETHER, GOLD), (DOLLAR, OTHER)):
        for fee in dice.sample((100, 500, 3000, 10000), dice.randint(1, 3)):
            pools.append(pool(len(pools), one, other, fee, int(10 ** dice.uniform(4, 6.7))))
    return UniswapV3Exchange(pools, (DOLLAR.token, ETHER.token))


def offer(dice: random.Random, pays: Asset, gets: Asset) -> Offer:
    """A liquidation with a bonus; near the whole of a debt a hole that would leave dust, as since Aave 3.3;
    the collateral may not suffice for all of it."""
    owed = int(10 ** dice.uniform(3.3, 6)) * UNIT
    bonus = dice.choice((1.01, 1.05, 1.1))
    supplied = int(owed * dice.choice((0.7, 1.2, 2)) * pays.price / gets.price)
    dust = 1_000 * UNIT

    def deal(cover: int) -> Quote | None:
        if not 0 < cover <= owed:
            return None
        received = int(cover * bonus * pays.price / gets.price)
        repaid = cover
        if received >= supplied:
            received = supplied
            repaid = min(int(supplied * gets.price / pays.price / bonus), cover)
        left = owed - repaid
        if 0 < left < dust and received < supplied:
            return None
        return Quote(repaid, repaid, received, (b"call",))

    max_sizes = (owed, max(owed - dust, 1))
    return Offer(pays, gets, "0x" + "cc" * 20, max_sizes, deal, 150_000)


def offers(dice: random.Random) -> list[Offer]:
    pairs = [(p, g) for p in (DOLLAR, OTHER) for g in (ETHER, GOLD)]
    return [offer(dice, *pair) for pair in dice.sample(pairs, dice.randint(1, 3))]


def by_force(asked: list[Offer], terms: ProfitTerms) -> int:
    """The most that any size of any offer earns on any routes, tried one after another."""
    exchange, found = terms.exchange, -(10**40)
    for each in asked:
        earns = terms.profit_token or each.pays
        sizes = {each.max_sizes[0] * step // TRIES for step in range(1, TRIES + 1)} | set(each.max_sizes)
        deals = [deal for size in sizes if (deal := each.deal(size)) is not None]
        for back in exchange.routes(each.gets.token, each.pays.token):
            value: Callable[[Quote], int | None]
            if earns is each.pays:
                value = direct(exchange, back)
                found = max(found, *(earns.worth(v) for d in deals if (v := value(d)) is not None))
                continue
            for sale in exchange.routes(each.gets.token, earns.token) or [""]:
                value = converted(exchange, back, sale)
                worth = [earns.worth(v) for d in deals if (v := value(d)) is not None]
                found = max([found, *worth])
    return found


def direct(exchange: Exchange, route: str) -> Callable[[Quote], int | None]:
    def value(deal: Quote) -> int | None:
        brought = exchange.sell(route, deal.received)
        return None if brought is None else brought - deal.repaid - AAVE.cost(deal.allowance)

    return value


def converted(exchange: Exchange, back: str, sale: str) -> Callable[[Quote], int | None]:
    def value(deal: Quote) -> int | None:
        spent = exchange.buy(back, deal.repaid + AAVE.cost(deal.allowance))
        if spent is None or spent >= deal.received:
            return None
        if not sale:
            return deal.received - spent
        after = exchange.copy()
        after.make(back, spent)
        return after.sell(sale, deal.received - spent)

    return value


def terms_of(exchange: UniswapV3Exchange, earns: Asset | None = None) -> ProfitTerms:
    # The market lends everything, at less than any pool that could: who lends is not the question here.
    lenders = {each.token: FlashLender(replace(AAVE, fee=0), 10**40) for each in ASSETS}
    return ProfitTerms("0x" + "dd" * 20, exchange, lenders, earns)


@pytest.mark.parametrize("seed", range(12))
def test_the_best_is_within_a_thousandth_of_trying_everything(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.AAVE", replace(AAVE, fee=0))
    dice = random.Random(seed)
    exchange, asked = market(dice), offers(dice)
    terms = terms_of(exchange)
    found, most = best(asked, terms), by_force(asked, terms)
    assert found
    assert found[0].worth >= most - abs(most) // 1_000 - 1


@pytest.mark.parametrize("seed", range(3))
def test_so_it_is_where_the_profit_is_taken_in_another_token(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.AAVE", replace(AAVE, fee=0))
    monkeypatch.setattr(f"{__name__}.TRIES", 150)
    dice = random.Random(100 + seed)
    exchange, asked = market(dice), offers(dice)
    terms = terms_of(exchange, GOLD)
    found, most = best(asked, terms), by_force(asked, terms)
    if most <= 0:
        assert not found or found[0].worth <= most + abs(most) // 1_000 + 1
        return
    assert found[0].worth >= most - most // 1_000 - 1


def test_no_size_that_leaves_dust_is_ever_chosen() -> None:
    dice = random.Random(7)
    for _ in range(20):
        exchange, asked = market(dice), offers(dice)
        for each in best(asked, terms_of(exchange)):
            assert each.offer.deal(each.deal.repaid) is not None


def test_a_cheaper_pool_lends_instead_of_the_market_and_is_on_no_route() -> None:
    exchange = UniswapV3Exchange(
        [pool(1, DOLLAR, ETHER, 500, 10**7), pool(2, DOLLAR, OTHER, 100, 10**7)], (DOLLAR.token,)
    )
    asked = [offer(random.Random(1), DOLLAR, ETHER)]
    lenders = {DOLLAR.token: FlashLender(AAVE, 10**40)}
    terms = ProfitTerms("0x" + "dd" * 20, exchange, lenders)
    [sized] = best(asked, terms)
    assert sized.loan is not None
    assert (sized.loan.kind, sized.loan.fee) == ("uniswap-v3", 100)
    assert sized.loan.lender not in {pool for _, pool in unpacked(sized.route)[0]}
    # Where the only cheaper pool is the one to sell at, the market lends.
    alone = UniswapV3Exchange([pool(1, DOLLAR, ETHER, 100, 10**7)], ())
    [sized] = best(asked, replace(terms, exchange=alone))
    assert sized.loan == AAVE
    # And where the market has none of it, the pool must.
    [sized] = best(asked, replace(terms, lenders={}))
    assert sized.loan is not None and sized.loan.kind == "uniswap-v3"
    assert best(asked, replace(terms, exchange=alone, lenders={})) == []


def test_what_one_plan_sells_makes_the_next_one_worth_less() -> None:
    exchange = UniswapV3Exchange([pool(1, DOLLAR, ETHER, 500, 10**6)], ())
    asked = [offer(random.Random(3), DOLLAR, ETHER)]
    terms = terms_of(exchange)
    [first] = best(asked, terms)
    count(plan("m", "0xa", first, terms), exchange)
    [second] = best(asked, terms)
    assert second.worth < first.worth


def test_on_chain_at_least_the_costs_and_half_of_what_is_expected_are_asked_for() -> None:
    exchange = UniswapV3Exchange([pool(1, DOLLAR, ETHER, 500, 10**8)], ())
    [sized] = best([offer(random.Random(3), DOLLAR, ETHER)], terms_of(exchange))
    chosen = plan("m", "0xa", sized, terms_of(exchange))
    assert chosen.batch_item is not None and chosen.batch_item.profit == sized.profit > 0

    def asked(costs: int) -> int:
        item = demanding(chosen, costs).batch_item
        assert item is not None
        return item.min_profit

    assert asked(0) == sized.profit // 2
    assert asked(chosen.gain_base * 3 // 4) == pytest.approx(sized.profit * 3 // 4, rel=1e-6)
    assert asked(chosen.gain_base * 2) == sized.profit
    assert asked(-chosen.gain_base) == sized.profit // 2


@pytest.mark.parametrize(("costs", "asked"), [(0, 50), (20, 50), (70, 70), (100, 100), (400, 100), (-30, 50)])
def test_a_call_that_names_its_least_profit_is_raised_to_what_it_must_earn(costs: int, asked: int) -> None:
    """Expected are 100 units, worth as many base units."""
    words = [1, 2, 3, 4, 5, 50, 7]
    data = "0x5c965924" + "".join(f"{each:064x}" for each in words)
    chosen = Plan(
        "m",
        "0x01",
        "liquidate",
        "liquidate",
        "0x" + "aa" * 20,
        data,
        Spend("0x" + "bb" * 20, "0x" + "aa" * 20, 10),
        10,
        100,
        1,
        {},
        profit=100,
        least_at=4 + 5 * 32,
    )
    words[5] = asked
    assert demanding(chosen, costs).data == "0x5c965924" + "".join(f"{each:064x}" for each in words)
    assert demanding(replace(chosen, least_at=None), costs) == replace(chosen, least_at=None)
