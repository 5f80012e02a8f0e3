"""Our numbers are the contract's, to the last unit: for every account, at any time, after any price."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from keeper.chain import blocks
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, Request, as_str
from keeper.localchain.transactions import send_batch
from keeper.margin.lending.aave.rules import V36, V302, Rules
from keeper.model.valuation import Valuation
from tests.support import random_market as rnd
from tests.support.crowd import COUNT, Crowd

pytestmark = pytest.mark.integration

YEAR = 365 * 86_400
# How long to wait between comparisons: from a second to years, always with something random on top.
WAITS = (1, 2, 60, 3_600, 86_400, 30 * 86_400, YEAR, 3 * YEAR)
# Rules that no valuation goes through; what they do is compared where liquidations and top-ups are.
_UNSEEN = (
    *("version", "close_factor", "seized_debt_needed", "supply_shares", "repay_shares", "seized_shares"),
    *("seized", "seized_base", "fee", "dust_counts_fee", "debt_growth", "cap_on_shares"),
)
MOMENTS = 100


def test_the_crowd_has_every_kind_of_account(crowd: Crowd) -> None:
    """Otherwise the comparisons below would prove less than they seem to."""
    numbers = crowd.ours(blocks.latest(crowd.pool).timestamp)
    raws = crowd.book.accounts
    reserves = crowd.state.reserves
    held = {a: {p.reserve_id for p in r.positions if p.scaled_collateral} for a, r in raws.items()}
    owing = {
        a: {p.reserve_id for p in r.positions if p.scaled_debt or p.stable_principal} for a, r in raws.items()
    }
    assert len(raws) >= COUNT
    least = COUNT // 20
    assert sum(v.maintenance > 0 for v in numbers.values()) > 0.6 * COUNT
    assert sum(len(ids) > 1 for ids in held.values()) > 4 * least
    assert sum(len(ids) > 1 for ids in owing.values()) > 4 * least
    assert sum(bool(held[a] & owing[a]) for a in raws) > least
    for category in (1, 2):
        assert sum(raw.emode == category and bool(owing[a]) for a, raw in raws.items()) > least
    dust = [p for r in raws.values() for p in r.positions if 0 < p.scaled_collateral + p.scaled_debt < 4]
    assert len(dust) > least // 2
    if crowd.market.version == "3.0.2":
        assert crowd.state.emodes[1].price
        assert sum(any(p.stable_principal for p in r.positions) for r in raws.values()) > 2 * least
        assert any(p.stable_principal and p.scaled_debt for r in raws.values() for p in r.positions)
    else:
        assert crowd.state.emodes[1].collateral_bitmap != crowd.state.emodes[1].borrowable_bitmap
        assert any(0 in {reserves[i].threshold for i in ids} for ids in held.values())


def test_every_account_agrees_at_every_time_and_price(crowd: Crowd) -> None:
    compared, healths = 0, set[int | None]()
    for wait in WAITS:
        crowd.later(wait + crowd.dice.randint(0, wait // 2))
        send_batch(crowd.anvil.rpc, list(rnd.new_prices(crowd.dice, crowd.market, crowd.specs, 0.7)))
        compared += _agree(crowd, healths)
        # At a second block nothing has happened but interest, and fees of a second.
        crowd.later(crowd.dice.randint(1, 100))
        crowd.anvil.mine()
        compared += _agree(crowd, healths)
    assert compared >= 2 * len(WAITS) * COUNT
    below = sum(health is not None and health < 10**18 for health in healths)
    assert below > COUNT
    assert len(healths) - below > COUNT


def test_accounts_agree_when_a_reserve_in_use_loses_its_threshold(crowd: Crowd) -> None:
    for reserve_id, symbol in ((0, "R0"), (5, "R5")):
        reserve = crowd.state.reserves[reserve_id]
        assert reserve.asset == crowd.market.reserves[symbol].asset.lower()
        tx = rnd.lose_threshold(crowd.market, symbol, reserve.configuration)
        crowd.together([tx], crowd.later(100))
        crowd.look()
        assert crowd.state.reserves[reserve_id].threshold == 0
        assert any(p.reserve_id == reserve_id for r in crowd.book.accounts.values() for p in r.positions)
        _agree(crowd, set())


def test_accounts_agree_between_their_own_actions(crowd: Crowd) -> None:
    for _ in range(3):
        crowd.later(crowd.dice.randint(1, 5_000_000))
        txs = list(rnd.restlessness(crowd.dice, crowd.market, crowd.specs, crowd.accounts))
        rnd.send_what_goes(crowd.anvil.rpc, txs)
        _agree(crowd, set())


def test_interest_agrees_at_ray_level(crowd: Crowd) -> None:
    """Eight decimals of price hide a wrong compounding formula; 27 decimals of index do not."""
    head = crowd.look()
    span = [1, 2, 3, *(int(10 ** crowd.dice.uniform(0, 8.2)) for _ in range(MOMENTS))]
    kinds = set[tuple[bool, bool]]()
    for seconds in span:
        timestamp = head.timestamp + seconds
        market = crowd.at(timestamp)
        reserves = list(market.reserves.values())
        incomes = _indices(crowd, "getReserveNormalizedIncome(address)", timestamp)
        debts = _indices(crowd, "getReserveNormalizedVariableDebt(address)", timestamp)
        assert [each.income for each in reserves] == incomes, seconds
        assert [each.debt_index for each in reserves] == debts, seconds
        kinds |= {(i > 10**27, d > 10**27) for i, d in zip(incomes, debts, strict=True)}
    assert (True, True) in kinds


@pytest.mark.parametrize("name", [f.name for f in fields(Rules) if f.name not in _UNSEEN])
def test_one_rule_changed_is_noticed(crowd: Crowd, name: str) -> None:
    """The negative control: with a single rule of the other version some account differs."""
    other = V36 if crowd.rules is V302 else V302
    changed = replace(crowd.rules, **{name: getattr(other, name)})
    crowd.later(86_400 * 200)
    head = _mined(crowd)
    if name == "threshold_zero_counts":
        tx = rnd.lose_threshold(crowd.market, "R0", crowd.state.reserves[0].configuration)
        crowd.together([tx], crowd.later(100))
        head = crowd.look()
    theirs = crowd.theirs(head)
    assert _differences(crowd.ours(head.timestamp), theirs) == []
    assert _differences(crowd.ours(head.timestamp, changed), theirs) != []


def _mined(crowd: Crowd) -> blocks.Head:
    crowd.anvil.mine()
    return crowd.look()


def _agree(crowd: Crowd, healths: set[int | None]) -> int:
    head = crowd.look()
    ours, theirs = crowd.ours(head.timestamp), crowd.theirs(head)
    assert _differences(ours, theirs) == []
    healths.update(each.health for each in theirs.values())
    return len(theirs)


def _differences(
    ours: dict[str, Valuation], theirs: dict[str, Valuation]
) -> list[tuple[Valuation, Valuation]]:
    """The first few accounts that differ, with both sides."""
    assert ours.keys() == theirs.keys()
    return [(ours[a], theirs[a]) for a in theirs if ours[a] != theirs[a]][:3]


def _indices(crowd: Crowd, signature: str, timestamp: int) -> list[int]:
    """The pool's own index of every reserve, as if the newest block had this timestamp."""
    requests: list[Request] = []
    for reserve in crowd.state.reserves.values():
        call: Json = {"to": crowd.market.pool, "data": calldata(signature, reserve.asset)}
        requests.append(("eth_call", [call, "latest", {}, {"time": hex(timestamp)}]))
    return [int(as_str(answer), 16) for answer in crowd.anvil.rpc.batch(requests)]
