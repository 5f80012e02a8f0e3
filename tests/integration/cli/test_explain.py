"""`keeper explain` of every protocol's accounts, and of several markets of which one fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from keeper.cli.main import app
from keeper.localchain.anvil import Anvil, AnvilOptions
from tests.conformance.case import Case
from tests.conformance.test_conformance import CASES
from tests.conftest import GENESIS
from tests.support.keeping import MARKET, config_text, write_keystore

pytestmark = pytest.mark.integration

OWNER = "0x" + "b2" * 20
NO_MARKET = "0x" + "99" * 20
GONE = f"""
[markets.gone]
protocol = "aave-v3"
chain = "local"
address = "{NO_MARKET}"
"""


@pytest.fixture(params=["morpho-blue", "compound-v3", "liquity", "aave-3.6"])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        yield CASES[request.param](anvil)


def explain(case: Case, folder: Path, *options: str, more: str = "") -> Result:
    write_keystore(folder)
    path = folder / "keeper.toml"
    path.write_text(config_text(case.anvil.url, case.toml(), more))
    return CliRunner().invoke(app, ["explain", OWNER, "--config", str(path), *options])


def test_an_account_of_any_protocol_is_explained(case: Case, tmp_path: Path) -> None:
    case.near(OWNER)
    told = explain(case, tmp_path, "--json")
    assert told.exit_code == 0, told.output
    [answer] = json.loads(told.stdout)
    assert answer["account"].lower() == OWNER
    assert not [line for line in answer["assets"] if line["symbol"].startswith("0x")]
    assert sum(int(line["debt"]) for line in answer["assets"]) == int(answer["debt"]) > 0
    shown = explain(case, tmp_path)
    assert shown.exit_code == 0 and "breaks at" in shown.output


@pytest.mark.parametrize("case", ["morpho-blue"], indirect=True)
def test_a_market_that_fails_takes_no_other_market_s_answer_down(case: Case, tmp_path: Path) -> None:
    case.near(OWNER)
    told = explain(case, tmp_path, "--json", more=GONE)
    assert told.exit_code == 1, told.output
    answer, failure = json.loads(told.stdout)
    assert answer["market"] == MARKET and int(answer["debt"]) > 0
    assert failure["market"] == "gone" and NO_MARKET in failure["error"].lower()
    shown = explain(case, tmp_path, more=GONE)
    assert shown.exit_code == 1
    assert "breaks at" in shown.output and "gone" in shown.output
