"""Episodes open once, know their lowest health, and end with hysteresis where it is due."""

from __future__ import annotations

from decimal import Decimal

import pytest

from keeper.config import Settings
from keeper.model.valuation import Valuation
from keeper.policy.episodes import changes
from keeper.policy.levels import Policies
from keeper.service.markets import policies_of

pytestmark = pytest.mark.unit

WAD = 10**18
WHO = "0x" + "aa" * 20


def policies(**policy: object) -> Policies:
    market = {"protocol": "aave-v3", "chain": "c", "address": "0x" + "11" * 20}
    return policies_of(
        Settings.model_validate(
            {
                "chains": {"c": {"chain_id": 1, "rpc": ["http://n"]}},
                "markets": {"m": market},
                "policy": policy,
            }
        )
    )


def at(health: str | None) -> list[Valuation]:
    scaled = None if health is None else int(Decimal(health) * WAD)
    if scaled is None:
        return [Valuation(WHO, 80, 0, 100, liquidatable=False)]
    return [Valuation(WHO, scaled, WAD, 0, scaled < WAD, health=scaled)]


def test_a_fall_through_all_thresholds_opens_an_episode_for_each() -> None:
    found = changes("m", at("0.9"), {}, policies())
    assert [below.threshold for below in found.opened] == ["warn", "top_up", "liquidate"]


def test_a_threshold_itself_is_not_below_it() -> None:
    assert changes("m", at("1.10"), {}, policies()).opened == []


def test_an_open_episode_is_not_opened_again_but_remembers_the_lowest() -> None:
    open_now = {(WHO, "warn"): int(Decimal("1.08") * WAD)}
    found = changes("m", at("1.07"), open_now, policies())
    assert found.opened == [] and [b.threshold for b in found.lowered] == ["warn"]


def test_warn_ends_only_above_its_hysteresis() -> None:
    open_now = {(WHO, "warn"): WAD}
    assert changes("m", at("1.105"), open_now, policies()).closed == []
    assert changes("m", at("1.1055"), open_now, policies()).closed == [
        (WHO, "warn", int(Decimal("1.1055") * WAD))
    ]


def test_liquidation_has_no_hysteresis() -> None:
    open_now = {(WHO, "liquidate"): WAD - 1}
    found = changes("m", at("1.0"), open_now, policies())
    assert [threshold for _, threshold, _ in found.closed] == ["liquidate"]


def test_an_account_without_debt_ends_every_episode() -> None:
    open_now = {(WHO, "warn"): WAD, (WHO, "top_up"): WAD, (WHO, "liquidate"): WAD - 1}
    assert len(changes("m", at(None), open_now, policies()).closed) == 3


def test_an_ignored_account_has_no_episodes() -> None:
    ignored = policies(accounts=[{"market": "m", "account": WHO, "ignore": True}])
    assert changes("m", at("0.5"), {}, ignored).opened == []


def test_thresholds_of_one_account_override_the_general_ones() -> None:
    careful = policies(accounts=[{"market": "m", "account": WHO, "warn": "1.5"}])
    assert [b.threshold for b in changes("m", at("1.4"), {}, careful).opened] == ["warn"]
    assert changes("m", at("1.4"), {}, policies()).opened == []


def test_ratios_are_exact() -> None:
    assert policies(warn="1.10").levels("m", WHO).warn == 1_100_000_000_000_000_000


def test_where_nothing_is_required_the_verdict_alone_opens_an_episode() -> None:
    seized = Valuation("a", -5, 0, -5, True)
    found = changes("m", [seized], {}, policies())
    assert [(each.threshold, each.health) for each in found.opened] == [
        ("warn", 0),
        ("top_up", 0),
        ("liquidate", 0),
    ]
    fine = Valuation("a", 5, 0, 5, False)
    assert changes("m", [fine], {}, policies()).opened == []
    known = {("a", "liquidate"): 0}
    assert [each[1] for each in changes("m", [fine], known, policies()).closed] == ["liquidate"]
