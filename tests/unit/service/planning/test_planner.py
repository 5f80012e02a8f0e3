"""Plans for the breaches of a block, made of what was read before: no node, no store, milliseconds."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from keeper.model.cure import CureRequest
from keeper.model.money import Rate
from keeper.model.offer import Asset, Offer, Quote
from keeper.model.plan import NATIVE, Blocked, Plan, Spend
from keeper.model.purse import Purse
from keeper.model.valuation import Valuation
from keeper.oracles.guards import Judgement
from keeper.policy.costs import Budget, Costs, Spending
from keeper.policy.levels import Levels, Protection
from keeper.service.planning.breach import Breach
from keeper.service.planning.inputs import PlanningInputs
from keeper.service.planning.planner import NOBODY, plan_block
from keeper.store.tables.watching import Episode

pytestmark = pytest.mark.unit

WAD = 10**18
USDC, WETH = "0x" + "01" * 20, "0x" + "02" * 20
DOLLAR, ETHER = Asset(USDC, "USDC", 10**8, 10**6), Asset(WETH, "WETH", 2_000 * 10**8, WAD)
POOL = "0x" + "90" * 20


def offer(most: int = 1_000 * 10**6, redeem: str = "") -> Offer:
    """To repay USDC for WETH worth a tenth more."""

    def deal(pays: int) -> Quote | None:
        received = pays * 10**8 * 110 * WAD // (10**6 * 100 * ETHER.price)
        return Quote(pays, pays, received, (b"call",)) if pays else None

    return Offer(DOLLAR, ETHER, POOL, (most,), deal, 300_000, redeem=redeem)


class Prices:
    """What is found of some assets' prices; of all others that all is well."""

    def __init__(self, **found: Judgement) -> None:
        self.found = found

    def verdicts(self, assets: frozenset[str]) -> dict[str, Judgement]:
        return {each: self.found.get(each, Judgement((), 1, "", 1)) for each in assets}


def market(
    *offers: Offer, name: str = "m", no_claims_reason: str = "", top_ups: dict[str, int] | None = None
) -> Any:
    """A market in which everybody can be liquidated by these offers, and saved with these tokens: units of
    each that reach the target."""

    def plan_top_up(state: Any, raw: Any, request: CureRequest) -> Plan | Blocked:
        for token, units in (top_ups or {}).items():
            if request.payable(token) >= units and units <= request.budget_base:
                return top_up(request.account, token, units, request.target)
        return Blocked("there is nothing to top up with")

    planner = SimpleNamespace(offers=lambda *_: list(offers), plan_top_up=plan_top_up)
    valuer = SimpleNamespace(price_dependencies=lambda *_: frozenset({USDC, WETH}))
    return SimpleNamespace(
        name=name,
        rate=Rate.of(8, Decimal(1)),
        prices=None,
        pulled=None,
        book=SimpleNamespace(state=None, accounts={f"0x{n}": None for n in range(9)}),
        adapter=SimpleNamespace(planner=planner, valuer=valuer, seller=None),
        settings=SimpleNamespace(own=SimpleNamespace(no_claims_reason=no_claims_reason)),
    )


def top_up(account: str, token: str, units: int, target: int) -> Plan:
    return Plan(
        "m", account, "top_up", "supply", POOL, "0x12", Spend(token, POOL, units), units, 0, 100_000,
        {"health_after": str(target)},
    )  # fmt: skip


def breach(of: Any, number: int, *, protected: bool = False, known: bool = True, health: int = 98) -> Breach:
    account = f"0x{number}"
    protection = Protection(12 * WAD // 10, 10**30, ()) if protected else None
    episode = Episode(
        id=number, market=of.name, account=account, threshold="liquidate",
        opened_block=1, opened_health=0, lowest_health=0,
    )  # fmt: skip
    valuation = Valuation(account, 98, 100, 1, liquidatable=True, health=health * WAD // 100)
    return Breach(of, valuation, Levels(0, 0, WAD, protection), episode, known)


def inputs(due: list[Breach], funds: dict[str, int], **more: Any) -> PlanningInputs:
    costs = Costs(gas_price=10**9, native=2_000 * WAD, min_profit=0)
    names = {each.market.name for each in due}
    return PlanningInputs(
        next_timestamp=1,
        block_gas_limit=30_000_000,
        costs=more.pop("costs", costs),
        funds={NATIVE: WAD, **funds},
        purses=dict.fromkeys(names, Purse({}, {USDC: "USDC", WETH: "WETH"})),
        budgets=more.pop("budgets", {each.key: [Budget(10**40, Spending())] for each in due}),
        **more,
    )


def outcomes(due: list[Breach], given: PlanningInputs | None) -> list[tuple[str, Any]]:
    """Of each account in the order of sending: what is spent, or why nothing is."""
    return [
        (
            each.valuation.account,
            decision.plan.spend.amount if decision.plan else cast(Blocked, decision.blocked).reason,
        )
        for each, decision in plan_block(due, given)
    ]


def test_without_a_signer_nobody_acts_and_each_is_told_so() -> None:
    due = [breach(market(offer()), 1), breach(market(), 2, protected=True)]
    assert outcomes(due, None) == [("0x1", NOBODY.reason), ("0x2", NOBODY.reason)]
    assert plan_block([], None) == []


def test_who_is_protected_comes_first_and_what_it_takes_is_nobodys_else() -> None:
    here = market(offer(), top_ups={USDC: 700 * 10**6})
    due = [breach(here, 1), breach(here, 2, protected=True)]
    given = inputs(due, {USDC: 1_000 * 10**6})
    assert outcomes(due, given) == [("0x2", 700 * 10**6), ("0x1", 300 * 10**6)]


@pytest.mark.parametrize(
    ("found", "top_up", "liquidation"),
    [
        (Judgement((), 1, "it is stale", 1), "it is stale", 10**9),
        (Judgement((), 1, "", 1, "it is out of bounds"), 1, "it is out of bounds"),
        (Judgement((), None, "", 1), 1, "no market price"),
        (Judgement((), 1, "", 2), 1, "less than min_profit"),
    ],
)
def test_a_price_in_doubt_stops_what_hangs_on_it(
    found: Judgement, top_up: int | str, liquidation: int | str
) -> None:
    here = market(offer(), top_ups={USDC: 1})
    here.prices = Prices(**{WETH: found})
    due = [breach(here, 1), breach(here, 2, protected=True)]
    done = dict(outcomes(due, inputs(due, {USDC: 10**9 + 1})))
    for account, expected in (("0x2", top_up), ("0x1", liquidation)):
        assert done[account] == expected if isinstance(expected, int) else expected in str(done[account])


def test_claims_are_taken_where_the_market_may_take_them() -> None:
    for reason in ("", "nobody wants them"):
        due = [breach(market(offer(redeem=WETH), no_claims_reason=reason), 1)]
        [(_, found)] = outcomes(due, inputs(due, {USDC: 10**9}))
        assert found == 10**9 if not reason else reason in found


def test_a_token_that_was_refused_twice_gives_way_to_another() -> None:
    here = market(top_ups={USDC: 5, WETH: 7})
    due = [breach(here, 2, protected=True)]
    funds = {USDC: 100, WETH: 100}
    assert outcomes(due, inputs(due, funds)) == [("0x2", 5)]
    assert outcomes(due, inputs(due, funds, refused_tokens={2: {USDC: 1}})) == [("0x2", 7)]
    only = [breach(market(top_ups={USDC: 5}), 2, protected=True)]
    assert outcomes(only, inputs(only, funds, refused_tokens={2: {USDC: 3}})) == [("0x2", 5)], (
        "where there is nothing else it is tried again"
    )


def test_a_budget_holds_over_all_of_its_accounts() -> None:
    here = market(top_ups={USDC: 5})
    due = [breach(here, n, protected=True, health=90 + n) for n in (1, 2, 3)]
    day = [Budget(here.rate.up(10), Spending())]
    given = inputs(due, {USDC: 100}, budgets={each.key: day for each in due})
    found = outcomes(due, given)
    assert [amount for _, amount in found[:2]] == [5, 5] and isinstance(found[2][1], str)


def test_what_rehearsals_sized_is_done_while_the_money_is_there() -> None:
    here = market(top_ups={USDC: 8})
    due = [breach(here, 1, protected=True, health=90), breach(here, 2, protected=True, known=False)]
    sized = {due[1].key: top_up("0x2", USDC, 6, WAD)}
    assert outcomes(due, inputs(due, {USDC: 14}, sized=sized)) == [("0x1", 8), ("0x2", 6)]
    [_, (_, why)] = outcomes(due, inputs(due, {USDC: 13}, sized=sized))
    assert why == "the signer's money goes to another account first"
    [_, (_, why)] = outcomes(due, inputs(due, {USDC: 14}, sized={due[1].key: Blocked("no rehearsal")}))
    assert why == "no rehearsal"


def test_what_a_market_sells_is_bought_like_a_liquidation() -> None:
    here = market()
    here.adapter.seller = SimpleNamespace(
        sales=lambda state, purse: [offer()], sold_for=lambda state: frozenset({USDC, WETH})
    )
    due = [replace(breach(here, 1), sale=True)]
    assert outcomes(due, inputs(due, {USDC: 10**8})) == [("0x1", 10**8)]


def test_nothing_is_liquidated_where_nobody_knows_what_gas_costs_or_it_costs_more_than_it_brings() -> None:
    due = [breach(market(offer()), 1)]
    unknown = inputs(due, {USDC: 10**9}, costs=Costs(gas_price=1, native=None, min_profit=0))
    [(_, why)] = outcomes(due, unknown)
    assert "native_price" in why
    dear = inputs(due, {USDC: 10**6}, costs=Costs(gas_price=10**12, native=2_000 * WAD, min_profit=0))
    [(_, why)] = outcomes(due, dear)
    assert "less than min_profit" in why


def test_the_coins_that_go_along_are_a_cost_like_gas_and_are_taken_from_the_signer() -> None:
    # Of a hundred dollars that it brings gas takes sixty cents.
    for coins, earns in ((4 * WAD // 100, True), (4_999 * WAD // 100_000, False)):
        here = breach(market(replace(offer(), value=coins, valid_until=7)), 1)
        [(_, decision)] = plan_block([here], inputs([here], {USDC: 10**9}))
        if not earns:
            assert decision.plan is None and "less than min_profit" in cast(Blocked, decision.blocked).reason
            continue
        assert decision.plan is not None
        assert (decision.plan.value, decision.plan.valid_until) == (coins, 7)
        assert decision.plan.gain_base == 20 * 10**8
        assert not decision.plan.is_over(7) and decision.plan.is_over(8)
        poor = inputs([here], {USDC: 10**9, NATIVE: coins})
        [(_, why)] = outcomes([here], poor)
        assert "too little native currency" in why


def test_plans_of_several_markets_share_one_purse_of_a_token() -> None:
    one, other = market(offer(), name="m"), market(offer(), name="n")
    due = [breach(one, 1), breach(other, 2)]
    assert sorted(outcomes(due, inputs(due, {USDC: 1_500 * 10**6}))) == [("0x1", 10**9), ("0x2", 5 * 10**8)]
