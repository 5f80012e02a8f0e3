"""The crash day in the world as it is. Whatever its nodes and its chain do, everybody who fell is liquidated,
the protected accounts are saved, within the day's blocks, and nobody is alerted of what was none.

The nodes and chains are emulated before a real Anvil with the real Aave v3 (`keeper/localchain/world/`): a
few in `make test`, each by itself and fifty mixtures of random faults with random words in `make soak`.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from keeper.demo.director import play
from keeper.demo.outcome import outcome
from keeper.demo.stage import Stage, stage
from keeper.localchain.world.mixture import KINDS, mixture, together
from keeper.localchain.world.profiles import PROFILES, Profile

pytestmark = pytest.mark.integration

SOAK = bool(os.environ.get("KEEPER_SOAK"))
SEED = 1
FEW = (
    together("arbitrum", ("no-simulate-403", "withheld-logs"), ("no-simulate-403",)),
    together("op-stack", ("gas-cap-10m", "indexing"), ("gas-cap-50m", "lying-pending")),
)
MIXTURES = 50
# What the same day brings on Anvil alone: accounts that fall, and what is done and not done about them.
OF_THE_DAY = frozenset(
    {"below_warn", "below_top_up", "below_liquidate", "recovered", "action_taken", "bad_debt"}
)
# On Anvil alone three attempts come too late and four accounts have nothing left. Where a block was missed or
# gas is dear there are some more, and plans that no longer fit what came meanwhile; no more than so many.
AT_MOST = {"action_failed": 6, "cannot_act": 10, "action_expired": 4, "action_refused": 4}
# Where both nodes refuse at random, more plans are a block late; each is told of, and none may be lost.
AT_MOST_AT_RANDOM = {"action_failed": 9, "cannot_act": 15, "action_expired": 12, "action_refused": 16}
FEWEST_LIQUIDATIONS = 18


def _live(profile: Profile, folder: Path, at_most: Mapping[str, int] = AT_MOST) -> Stage:
    with stage(SEED, folder, world=profile) as scene:
        last = play(scene, SEED, lambda moment: None)
        found = outcome(scene, last)
        assert not found.faults, (profile.title, found.faults, _log(folder))
        assert found.liquidations >= FEWEST_LIQUIDATIONS and found.top_ups >= 2
        told = [alert for alert in _alerts(scene) if alert["kind"] not in profile.tells]
        false = Counter(alert["kind"] for alert in told if not _is_of_the_day(alert))
        for kind, most in at_most.items():
            if false[kind] <= most:
                del false[kind]
        assert not false, (profile.title, false, _log(folder))
    return scene


def _is_of_the_day(alert: dict[str, str]) -> bool:
    """Where gas is dear, some liquidations are worth less than it; that is so, and is told."""
    too_dear = alert["kind"] == "not_sent" and alert["title"].endswith("gas price")
    return alert["kind"] in OF_THE_DAY or too_dear


def _alerts(scene: Stage) -> list[dict[str, str]]:
    return [json.loads(line) for line in scene.alerts.read_text().splitlines()]


def _log(folder: Path) -> str:
    return (folder / "keeper.log").read_text(errors="replace")[-3000:]


@pytest.mark.parametrize("profile", FEW, ids=lambda profile: profile.title)
def test_the_crash_day_is_lived_through_with_several_faults(profile: Profile, tmp_path: Path) -> None:
    _live(profile, tmp_path)


if SOAK:

    @pytest.mark.parametrize("name", PROFILES)
    def test_the_crash_day_is_lived_through(name: str, tmp_path: Path) -> None:
        _live(PROFILES[name], tmp_path)

    @pytest.mark.parametrize("seed", range(MIXTURES))
    def test_the_crash_day_is_lived_through_with_all_faults_at_random(seed: int, tmp_path: Path) -> None:
        _live(mixture(seed), tmp_path, AT_MOST_AT_RANDOM)


def test_a_seed_is_one_world_for_good_and_all_kinds_of_faults_come() -> None:
    titles = [mixture(seed).title for seed in range(MIXTURES)]
    assert titles == [mixture(seed).title for seed in range(MIXTURES)] and len(set(titles)) > MIXTURES // 2
    assert all(any(kind in title for title in titles) for kind in KINDS)


def test_each_profile_says_what_it_does_and_where_that_was_seen() -> None:
    assert len(PROFILES) >= 20
    assert all(each.title and each.seen for each in PROFILES.values())


def test_readme_names_every_profile() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    for name, profile in PROFILES.items():
        assert f"| `{name}` | {profile.title} | {profile.seen} |" in readme, f"add {name} to README's table"
