"""The demo is the product's own proof: it passes as it is, and fails when one rounding is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlmodel import select

from keeper.demo.director import Moment, play
from keeper.demo.outcome import outcome
from keeper.demo.stage import stage
from keeper.demo.wrongs import wrong_actions
from keeper.store.database import open_store
from keeper.store.tables.journal import Intent
from tests.support.program import run_keeper

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.integration


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_keeper("demo", "--json", *arguments, folder=ROOT, timeout=300)


# The day's first blocks: what is wrong shows at once.
SHORT_DAY = """
from itertools import islice
from keeper.cli.main import main
from keeper.demo import director

whole = director.prices
director.prices = lambda *given: islice(whole(*given), 4)
director.LATE_BLOCKS = 0
main()
"""


def test_demo_cures_every_account_and_equals_the_contract_at_every_block() -> None:
    done = run_demo()
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["ok"] and not told["faults"]
    assert told["totals"]["liquidations"] >= 10
    assert told["totals"]["top_ups"] >= 2
    assert told["blocks"] >= 20
    assert told["compared"] >= 20 * 30
    ways = " ".join(what for account in told["accounts"] for what in account["done"])
    assert "supplied" in ways and "repaid" in ways and "liquidated" in ways


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("margin/lending/aave/rules.py", "debt_value=fixed.mul_div_floor", "debt_value=fixed.mul_div_ceil"),
        (
            "margin/lending/aave/interest.py",
            "ray_mul_half_up(rate, rate) // (SECONDS_PER_YEAR * SECONDS_PER_YEAR)",
            "ray_mul_half_up(rate, rate) // (SECONDS_PER_YEAR * SECONDS_PER_YEAR) + 1",
        ),
        ("margin/lending/aave/fixed.py", "return (a * b + HALF_RAY) // RAY", "return a * b // RAY"),
    ],
    ids=["debt rounded up", "interest's second power rounded up", "ray products rounded down"],
)
def test_one_wrong_rounding_makes_the_demo_fail(tmp_path: Path, file: str, right: str, wrong: str) -> None:
    shutil.copytree(ROOT / "keeper", tmp_path / "keeper", ignore=shutil.ignore_patterns("__pycache__"))
    for shared in ("abis", "contracts", "build"):
        (tmp_path / shared).symlink_to(ROOT / shared)
    path = tmp_path / "keeper" / file
    source = path.read_text()
    assert source.count(right) == 1
    path.write_text(source.replace(right, wrong))
    done = subprocess.run(
        [sys.executable, "-c", SHORT_DAY, "demo", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert not told["ok"] and told["totals"]["liquidations"] == 0, told["faults"]
    [left] = re.findall(r"what the keeper left is in (\S+)", done.stderr)
    kinds = [json.loads(line)["kind"] for line in (Path(left) / "alerts.jsonl").read_text().splitlines()]
    assert "watch_only" in kinds, "stopped by the difference, and by nothing else"
    shutil.rmtree(left)


def test_a_hostile_day_ends_with_no_wrong_action_and_says_why_it_held_still() -> None:
    done = run_demo("--prices", "hostile")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["ok"] and not told["faults"]
    assert told["totals"]["liquidations"] > 0, "the guards do not disable the keeper"
    assert told["totals"]["top_ups"] >= 2, "the true fall at the end of the day is answered"
    reasons = {
        beat["title"]: " ".join([*beat["held"].values(), *beat["unvaluable"].values()])
        for beat in told["held"]
    }
    expected = {
        "WETH's feed says 0": "says 0",
        "WETH's feed says less than nothing": "says -",
        "WETH's feed reverts": "reverts",
        "WBTC's and DAI's feeds revert": "reverts",
        "a spike: WETH loses 45 %": "waiting for it to agree or for another round",
        "a spike: DAI costs 1.30": "waiting for it to agree or for another round",
        "a stale answer: WETH at 70 %, two hours old": "7200 s old",
        "WBTC's feed is still frozen": "48 s old, its heartbeat 36 s",
    }
    for title, reason in expected.items():
        assert reason in reasons[title], title


def test_one_crash_over_all_markets_is_survived_by_one_signer() -> None:
    done = run_demo("--all")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["ok"] and not told["faults"]
    assert told["compared"] >= 17 * 27 and told["blocks"] >= 17
    for name, market in told["markets"].items():
        assert market["liquidations"] >= 4 and market["top_ups"] >= 1, name
        broken = [a for a in market["accounts"] if a["lowest"] is not None and int(a["lowest"]) < 10**18]
        assert broken, name
        assert all(a["emptied"] or a["after"] is None or int(a["after"]) >= 10**18 for a in broken), name
        done_to = [words for a in market["accounts"] for words in a["done"] if "liquidated" in words]
        # What only absorbs brings nothing by itself: its purchase comes in the next block.
        done_to = [words for words in done_to if "absorbed, to buy" not in words]
        assert done_to and all(any(c in "123456789" for c in words) for words in done_to), "with amounts"
    earned, spent = int(told["earned"]), int(told["spent"])
    assert earned > 0 and spent > 0 and earned - spent == int(told["booked"])
    assert told["shared"] >= 1, "liquidations of several markets in one transaction"
    assert 0 < int(told["owner_spent"]) <= 60_000 * 10**18


def test_a_day_of_perpetuals_and_options_ends_as_its_story_tells() -> None:
    done = run_demo("--derivatives")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["ok"] and not told["faults"] and told["blocks"] >= 45 and told["compared"] >= 1_500
    ends = {(each["market"], each["label"]): each for each in told["accounts"]}
    hedge = ends["perps", "long ETH, short BTC: a hedge"]
    assert hedge["end"] == "same" and hedge["done"] == [] and int(hedge["lowest"]) > 10**18
    for leg in ("the hedge's long leg alone", "the hedge's short leg alone"):
        assert ends["perps", leg]["end"] == "empty" and int(ends["perps", leg]["lowest"]) < 10**18
    assert int(ends["perps", "long SOL, which pays funding"]["lowest"]) < 0, "by funding alone"
    reduced = ends["perps", "long ETH, protected by reducing"]["done"]
    assert any(each.startswith("reduced") for each in reduced)
    assert any(each.startswith("settled") for each in reduced)
    assert {each["end"] for each in told["accounts"] if each["market"] == "options"} == {
        "liquidated",
        "settled",
    }


def test_hostile_prices_are_refused_for_all_markets() -> None:
    done = run_demo("--all", "--prices", "hostile")
    assert done.returncode == 2 and "Aave alone" in done.stderr
    done = run_demo("--derivatives", "--prices", "hostile")
    assert done.returncode == 2 and "a day of its own" in done.stderr


def test_every_account_that_could_be_acted_on_is_acted_on_or_told_about(tmp_path: Path) -> None:
    """From the daemon's own record: nobody below the threshold that asks for an action goes unmentioned."""
    with stage(1, tmp_path, hostile=True) as scene:
        moments: list[Moment] = []
        last = play(scene, 1, moments.append)
        truth = {moment.block: moment.truth for moment in moments if moment.truth}
        assert outcome(scene, last, truth).faults == []
        # Were WETH's spike the truth, the same actions would be right; were it calm all day, they are not.
        calm = {block: truth[min(truth)] for block in truth}
        assert wrong_actions(scene, last, calm) != [], "the judge of wrong actions can say no"
        owners = {each.lower() for each in scene.people.protected}
    store = open_store(f"sqlite:///{tmp_path / 'keeper.db'}")
    with store.session() as session:
        planned = {(i.account, i.planned_block) for i in session.exec(select(Intent)).all()}
    store.close()
    for moment in moments:
        for each in moment.accounts:
            account = each["account"].lower()
            asks = ("top_up", "liquidate") if account in owners else ("liquidate",)
            if each["breach"] in asks:
                assert account in moment.held or (account, moment.block) in planned, (moment.block, account)
