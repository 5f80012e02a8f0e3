"""What we say a liquidation moves is what `liquidationCall` moves, to the last unit, on both versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from eth_utils.crypto import keccak

from keeper.localchain.calldata import decoded
from keeper.localchain.rpc import Json, RpcRefusedError, as_dict, as_list, as_str
from keeper.localchain.transactions import Tx, decode_revert, send_batch
from keeper.margin.lending.aave.close_factor import WHOLE_CLOSE_HEALTH
from keeper.margin.lending.aave.fixed import MAX_UINT256, WAD
from keeper.margin.lending.aave.health import AccruedMarket, account_data
from keeper.margin.lending.aave.liquidation import (
    Outcome,
    Pair,
    options,
    outcome,
    pairs,
)
from keeper.margin.lending.aave.rules import V36, V302
from keeper.model.plan import Blocked
from keeper.model.purse import Purse
from keeper.protocols import inventory
from keeper.protocols.aave_v3.offering import GRACE, offers
from tests.support import random_market as rnd
from tests.support.aave_users import liquidate
from tests.support.crowd import COUNT, Crowd

pytestmark = pytest.mark.integration

LIQUIDATED = "0x" + keccak(text="LiquidationCall(address,address,address,uint256,uint256,address,bool)").hex()
TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
LIQUIDATION_TYPES = ["address", "address", "address", "uint256", "bool"]
NO_FACTS = Purse(funds={}, symbols={})
# Gentle moves leave health just below 1, where half is the limit; wild ones leave bad debt.
SPREADS = (0.05, 0.2, 0.6)


@dataclass(frozen=True)
class Attempt:
    """One liquidation that the pool is asked for, and what we say it does."""

    account: str
    pair: Pair
    cover: int
    expected: Outcome


@pytest.mark.parametrize("spread", SPREADS)
def test_best_options_move_exactly_what_they_say(crowd: Crowd, spread: float) -> None:
    """For every liquidatable account the best option goes through as planned, never into the dust rule."""
    timestamp, market = _after_crash(crowd, spread)
    attempts = []
    for account, raw in crowd.book.accounts.items():
        found = options(raw, market)
        if found:
            best = found[0]
            assert [each.gain for each in found] == sorted((each.gain for each in found), reverse=True)
            cover = best.pair.max_debt if best.outcome.takes_all else best.outcome.repaid
            attempts.append(Attempt(account, best.pair, cover, best.outcome))
    assert len(attempts) > COUNT // 40
    assert not any(each.expected.leaves_dust for each in attempts)
    _carry_out(crowd, attempts, timestamp)


@pytest.mark.parametrize("late", [0, GRACE // 2])
@pytest.mark.parametrize("spread", SPREADS)
def test_plans_within_any_funds_go_through(crowd: Crowd, spread: float, late: int) -> None:
    """Also when they are included a little later than planned, and never into the dust rule."""
    planned, market = _after_crash(crowd, spread)
    timestamp = planned + late
    then = crowd.at(timestamp)
    attempts = []
    for account, raw in crowd.book.accounts.items():
        funds = {
            pair.debt.reserve.asset: int(pair.owed * crowd.dice.choice((1.01, crowd.dice.uniform(0.05, 1))))
            for pair in pairs(raw, market)
        }
        open_now = offers(crowd.market.pool, crowd.book.state, account, raw, planned, NO_FACTS)
        plans = inventory.liquidations("crowd", account, open_now, funds)
        if not isinstance(plans, Blocked):
            plan = crowd.dice.choice(plans)
            assert plan.spend.amount <= funds[plan.spend.token]
            collateral, debt, _, cover, _ = decoded(LIQUIDATION_TYPES, "0x" + plan.data[10:])
            assert cover == plan.spend.amount
            pair = _pair(pairs(raw, then), str(collateral), str(debt))
            attempts.append(Attempt(account, pair, plan.spend.amount, outcome(pair, plan.spend.amount, then)))
    assert len(attempts) > COUNT // 40
    assert not any(each.expected.leaves_dust for each in attempts)
    _carry_out(crowd, attempts, timestamp)


@pytest.mark.parametrize("spread", SPREADS)
def test_any_amount_of_any_pair_moves_exactly_what_we_say(crowd: Crowd, spread: float) -> None:
    """Random amounts, also above what may be repaid, and everything; refusals for dust are foreseen too."""
    seen, dusty = Counter[str](), 0
    # In a gentle crash few accounts are below 1: several are needed to see everything.
    for _ in range(5 if spread == SPREADS[0] else 1):
        snapshot = crowd.anvil.snapshot()
        timestamp, market = _after_crash(crowd, spread)
        go, refused = _random_attempts(crowd, market, seen)
        _carry_out(crowd, go, timestamp)
        for attempt in refused:
            assert _refusal(crowd, attempt, timestamp).startswith("MustNotLeaveDust")
        dusty += len(refused)
        crowd.anvil.revert(snapshot)
        crowd.look()
    assert set(seen) >= {"all collateral", "part", "e-mode", "fee"}
    if spread == SPREADS[0]:
        assert set(seen) >= {"half", "same asset"}
    assert bool(dusty) == (crowd.rules is V36)


def _random_attempts(
    crowd: Crowd, market: AccruedMarket, seen: Counter[str]
) -> tuple[list[Attempt], list[Attempt]]:
    """A random pair and amount for every liquidatable account: those that go through, those with dust."""
    go, refused = [], []
    for account, raw in crowd.book.accounts.items():
        data = account_data(raw, market)
        found = list(pairs(raw, market)) if data.health < WAD else []
        if not found:
            continue
        pair = crowd.dice.choice(found)
        part = max(int(pair.owed * crowd.dice.uniform(0, 1.5)), 1)
        cover = crowd.dice.choice((MAX_UINT256, part))
        attempt = Attempt(account, pair, cover, outcome(pair, cover, market))
        if attempt.expected.leaves_dust:
            refused.append(attempt)
        elif not _moves_nothing(pair, market, attempt.expected):
            go.append(attempt)
            seen.update(_kinds(attempt, raw.emode, data.health))
    return go, refused


def test_no_pair_is_missing_and_none_is_too_many(crowd: Crowd) -> None:
    """The pairs we list are exactly those that the pool accepts, among all the account has anything in."""
    timestamp, market = _after_crash(crowd, 0.3)
    compared, accepted = 0, 0
    for account, raw in list(crowd.book.accounts.items())[:150]:
        if account_data(raw, market).health >= WAD:
            continue
        listed = {(pair.collateral.reserve.id, pair.debt.reserve.id) for pair in pairs(raw, market)}
        for held in market.reserves.values():
            for owing in market.reserves.values():
                call = _liquidation(crowd, account, held.reserve.asset, owing.reserve.asset, MAX_UINT256)
                ids = (held.reserve.id, owing.reserve.id)
                goes = _accepted(crowd, call, timestamp)
                # Positions of a few units move nothing, which the tokens refuse; the rules allow them.
                assets = (held.reserve.asset, owing.reserve.asset)
                if not goes and ids in listed:
                    pair = _pair(pairs(raw, market), *assets)
                    if _moves_nothing(pair, market, outcome(pair, MAX_UINT256, market)):
                        continue
                assert goes == (ids in listed), (account, ids)
                compared += 1
                accepted += goes
    assert compared > 500
    assert accepted > 50


def test_an_emode_bonus_of_a_reserve_without_threshold_counts_since_33(crowd: Crowd) -> None:
    """In 3.6 R7 is collateral of an e-mode only, with no threshold of its own; 3.0.2 refuses such."""
    timestamp, market = _after_crash(crowd, 0.6)
    bare = [r.reserve.id for r in market.reserves.values() if r.threshold == 0]
    found = [
        (account, pair)
        for account, raw in crowd.book.accounts.items()
        if account_data(raw, market).health < WAD
        for pair in pairs(raw, market)
        if pair.collateral.reserve.id in bare
    ]
    assert bool(found) == (crowd.rules is V36)
    attempts = {a: Attempt(a, pair, MAX_UINT256, outcome(pair, MAX_UINT256, market)) for a, pair in found}
    whole = [each for each in attempts.values() if not _moves_nothing(each.pair, market, each.expected)]
    assert bool(whole) == bool(found)
    if whole:
        _carry_out(crowd, whole, timestamp)


def test_another_versions_rounding_is_noticed(crowd: Crowd) -> None:
    """The negative control: with the other version's rounding of the debt needed, an amount differs."""
    timestamp, market = _after_crash(crowd, 0.6)
    other = V302 if crowd.rules is V36 else V36
    changed = replace(market, rules=replace(market.rules, seized_debt_needed=other.seized_debt_needed))
    right, wrong = [], []
    for account, raw in crowd.book.accounts.items():
        for best in options(raw, market)[:1]:
            result = outcome(best.pair, MAX_UINT256, market)
            if _moves_nothing(best.pair, market, result):
                continue
            right.append(Attempt(account, best.pair, MAX_UINT256, result))
            wrong.append(replace(right[-1], expected=outcome(best.pair, MAX_UINT256, changed)))
    assert [each.expected for each in right] != [each.expected for each in wrong]
    snapshot = crowd.anvil.snapshot()
    _carry_out(crowd, right, timestamp)
    crowd.anvil.revert(snapshot)
    with pytest.raises(AssertionError, match="differs"):
        _carry_out(crowd, wrong, timestamp)


def _after_crash(crowd: Crowd, spread: float) -> tuple[int, AccruedMarket]:
    """New prices, and the market as it will be in the next block, at the timestamp returned."""
    crowd.later(crowd.dice.randint(1, 40 * 86_400))
    send_batch(crowd.anvil.rpc, list(rnd.new_prices(crowd.dice, crowd.market, crowd.specs, spread)))
    timestamp = crowd.look().timestamp + crowd.dice.randint(1, 3_600)
    return timestamp, crowd.at(timestamp)


def _liquidation(crowd: Crowd, account: str, collateral: str, debt: str, cover: int) -> Tx:
    by_asset = {reserve.asset.lower(): reserve for reserve in crowd.market.reserves.values()}
    return liquidate(crowd.market, by_asset[collateral], by_asset[debt], account, cover, rnd.LENDER)


def _tx(crowd: Crowd, attempt: Attempt) -> Tx:
    pair = attempt.pair
    assets = (pair.collateral.reserve.asset, pair.debt.reserve.asset)
    return _liquidation(crowd, attempt.account, *assets, attempt.cover)


def _carry_out(crowd: Crowd, attempts: list[Attempt], timestamp: int) -> None:
    """All liquidations in one block; each must have moved exactly what was expected."""
    assert attempts
    receipts = crowd.together([_tx(crowd, attempt) for attempt in attempts], timestamp)
    for attempt, receipt in zip(attempts, receipts, strict=True):
        moved = _moved(crowd, attempt, receipt)
        expected = (attempt.expected.repaid, attempt.expected.received, attempt.expected.fee)
        assert moved == expected, f"differs for {attempt}"


def _moved(crowd: Crowd, attempt: Attempt, receipt: dict[str, Json]) -> tuple[int, int, int]:
    """Debt repaid, collateral to the liquidator and fee to the treasury, as the contracts' events say."""
    repaid = received = fee = 0
    treasury = crowd.market.acl_admin.lower()
    for entry in (as_dict(each) for each in as_list(receipt["logs"])):
        topics = [as_str(topic) for topic in as_list(entry["topics"])]
        data = as_str(entry["data"])
        if topics[0] == LIQUIDATED:
            repaid, received = (int(str(v)) for v in decoded(["uint256", "uint256"], data))
        elif topics[0] == TRANSFER and entry["address"] == attempt.pair.collateral.reserve.a_token:
            parties = ("0x" + topics[1][26:], "0x" + topics[2][26:])
            if parties == (attempt.account, treasury):
                fee += int(data, 16)
    return repaid, received, fee


def _refusal(crowd: Crowd, attempt: Attempt, timestamp: int) -> str:
    with pytest.raises(RpcRefusedError) as caught:
        _call(crowd, _tx(crowd, attempt), timestamp)
    return decode_revert(bytes.fromhex(caught.value.data[2:]), crowd.market.errors)


def _accepted(crowd: Crowd, tx: Tx, timestamp: int) -> bool:
    try:
        _call(crowd, tx, timestamp)
    except RpcRefusedError:
        return False
    return True


def _call(crowd: Crowd, tx: Tx, timestamp: int) -> None:
    call: Json = {"from": tx["from"], "to": tx["to"], "data": tx["data"]}
    crowd.anvil.rpc.call("eth_call", call, "latest", {}, {"time": hex(timestamp)})


def _pair(found: Iterable[Pair], collateral: str, debt: str) -> Pair:
    wanted = (collateral, debt)
    return next(p for p in found if (p.collateral.reserve.asset, p.debt.reserve.asset) == wanted)


def _moves_nothing(pair: Pair, market: AccruedMarket, result: Outcome) -> bool:
    """Whether the pool refuses this amount: for the dust it leaves, or as less than a scaled unit."""
    burnt = market.rules.repay_shares(result.repaid, pair.debt.debt_index)
    return result.leaves_dust or not (burnt and result.received)


def _kinds(attempt: Attempt, emode: int, health: int) -> set[str]:
    """What is special about an attempt, to see that everything special was seen."""
    pair, result = attempt.pair, attempt.expected
    return {
        name
        for name, holds in {
            "all collateral": result.takes_all,
            "part": not result.takes_all and result.repaid < pair.owed,
            "half": result.repaid == pair.max_debt < pair.owed and health > WHOLE_CLOSE_HEALTH,
            "e-mode": emode and pair.bonus != pair.collateral.reserve.bonus,
            "same asset": pair.collateral.reserve.id == pair.debt.reserve.id,
            "fee": result.fee > 0,
        }.items()
        if holds
    }
