"""What people read: short names of accounts, plain words, whole columns; programs get everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from keeper.alerts import account_alerts
from keeper.cli import output
from keeper.cli.main import app
from keeper.execution import pause_file
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.store.tables.watching import Episode
from tests.conformance.case import Case
from tests.conformance.test_conformance import CASES, quiet
from tests.conftest import GENESIS
from tests.support.keeping import Keeping, config_text, keeping, write_keystore

pytestmark = pytest.mark.integration

OWNER = "0x" + "b2" * 20


@pytest.fixture(params=["morpho-blue"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield CASES[request.param](anvil)


def shown(folder: Path, *arguments: str) -> str:
    done = CliRunner().invoke(app, [*arguments, "--config", str(folder / "keeper.toml")])
    assert done.exit_code == 0, done.output
    return done.output


def liquidating(case: Case, folder: Path) -> tuple[Keeping, str]:
    account = case.near(OWNER)
    quiet(case)
    k = keeping(case.anvil, case.toml(), folder)
    k.send(case.fund(k.payer))
    k.step(case.hold())
    k.step(case.fall())
    assert [i.account for i in k.intents()] == [account]
    return k, account


def test_accounts_in_parts_of_a_market_are_short_for_people_and_whole_for_programs(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.console, "width", 160)
    k, account = liquidating(case, tmp_path)
    assert len(account) == 106
    for command in ("history", "status"):
        text = shown(tmp_path, command)
        assert account[42:52] not in text.lower() or f"0x{account[42:50]}" in text.lower()
        assert OWNER in text.lower() and account[50:60] not in text.lower()
        assert account in shown(tmp_path, command, "--json")
    assert f"{OWNER} 0x{account[42:50]}" in shown(tmp_path, "history", "1").lower()
    titles = [alert.title for alert in k.alerts("below_liquidate")]
    assert titles and all(account not in title and f"0x{account[42:50]}" in title for title in titles)


def test_history_is_readable_in_a_narrow_terminal(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.console, "width", 120)
    liquidating(case, tmp_path)
    text = shown(tmp_path, "history")
    assert "0xb2b2b2…" in text and len(text.splitlines()) < 25, text


def test_a_pause_is_told_as_written_and_shown_as_the_market_s_state(case: Case, tmp_path: Path) -> None:
    k, _ = liquidating(case, tmp_path)
    with k.store.session() as session:
        pause_file.pause(session, "alice", "moving the Funds")
    text = shown(tmp_path, "status")
    assert "paused by alice" in text and "moving the Funds" in text
    assert "│ paused" in text and "│ acting" not in text


def test_status_with_nothing_run_yet_says_so(case: Case, tmp_path: Path) -> None:
    write_keystore(tmp_path)
    (tmp_path / "keeper.toml").write_text(config_text(case.anvil.url, case.toml()))
    text = shown(tmp_path, "status")
    assert "nothing has run" in text and "│" not in text


def test_an_unprotected_account_between_the_thresholds_is_near_and_not_topped_up(
    case: Case, tmp_path: Path
) -> None:
    case.near(OWNER)
    write_keystore(tmp_path)
    (tmp_path / "keeper.toml").write_text(config_text(case.anvil.url, case.toml()))
    text = shown(tmp_path, "scan")
    assert "near" in text and "top_up" not in text
    [market] = json.loads(shown(tmp_path, "scan", "--json"))["markets"]
    assert {a["breach"] for a in market["accounts"] if a["debt"] != "0"} == {"top_up"}
    k = keeping(case.anvil, case.toml(), tmp_path)
    with capture_logs() as logs:
        k.work()
    assert "near" in shown(tmp_path, "status")
    [block] = [each for each in logs if each["event"] == "block"]
    assert (block["below"], block["wanted"]) == (1, 0)


def test_an_audit_without_differences_prints_no_table(case: Case, tmp_path: Path) -> None:
    case.near(OWNER)
    write_keystore(tmp_path)
    (tmp_path / "keeper.toml").write_text(config_text(case.anvil.url, case.toml()))
    text = shown(tmp_path, "audit")
    assert "0 differ" in text and "│" not in text and "┃" not in text


def test_the_books_name_tokens_by_symbol_in_plain_decimals(case: Case, tmp_path: Path) -> None:
    from keeper.service.reporting.ledger import Ledger

    k, _ = liquidating(case, tmp_path)
    for _ in range(3):
        k.step(case.hold())
    with capture_logs() as logs:
        Ledger(k.deciding).book()
    lines = shown(tmp_path, "history", "--csv", "-").splitlines()
    header = lines[0].split(",")
    moved = [line.split(",")[header.index("moved")] for line in lines[1:]]
    assert any(moved) and not any("0x" in each for each in moved), moved
    assert not any("E-" in line or "E+" in line for line in lines)
    booked = [each for each in logs if each["event"] == "booked"]
    assert booked and all("." in each["value"] for each in booked)


def test_the_log_says_why_nothing_can_be_done(case: Case, tmp_path: Path) -> None:
    from keeper.alerts.deliver import Deliverer

    k = keeping(case.anvil, case.toml(), tmp_path)
    episode = Episode(
        id=1, market="m", account=OWNER, threshold="liquidate", opened_block=1,
        opened_health=1, lowest_health=1, blocked_reason="no collateral is left",
    )  # fmt: skip
    with k.store.session() as session:
        account_alerts.cannot_act(session, episode, "liquidate", protected=False)
    with capture_logs() as logs:
        Deliverer(k.store, [], None).run()
    [line] = [each for each in logs if each["event"] == "alert"]
    assert line["why"] == "no collateral is left"


def test_the_version_is_told() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0 and done.output.startswith("keeper ")
