"""`keeper margin`: every portfolio of the catalogue's tests through the command, for people and programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from keeper.cli.main import app
from keeper.errors import ConfigError, MarginError
from keeper.margin.catalogue import ENTRIES, answer

pytestmark = pytest.mark.unit

PORTFOLIOS = Path(__file__).parents[1] / "margin" / "portfolios"


def test_every_model_is_listed() -> None:
    done = CliRunner().invoke(app, ["margin", "--list", "--json"])
    assert {each["model"] for each in json.loads(done.stdout)} == set(ENTRIES)


@pytest.mark.parametrize("file", sorted(PORTFOLIOS.glob("*.json")), ids=lambda file: str(file.stem))
def test_a_portfolio_is_computed_and_explained(file: Path) -> None:
    model = file.stem
    if model not in ENTRIES:
        model = next(name for name in ENTRIES if file.stem.startswith(name))
    expected = answer(model, json.loads(file.read_text()))
    code = 1 if expected.breached else 0
    done = CliRunner().invoke(app, ["margin", model, str(file), "--json"])
    assert done.exit_code == code, done.output
    told = json.loads(done.stdout)
    assert told["model"] == model and told["breached"] == expected.breached
    assert {"initial", "maintenance", "equity", "health", "parts", "explanation"} <= set(told)
    for_people = CliRunner().invoke(app, ["margin", model, str(file)])
    assert for_people.exit_code == code
    assert "maintenance margin" in for_people.stdout


def test_mistakes_are_named(tmp_path: Path) -> None:
    def error(*arguments: str) -> BaseException | None:
        return CliRunner().invoke(app, ["margin", *arguments]).exception

    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert isinstance(error("dprm", str(broken)), ConfigError)
    assert isinstance(error("dprm", str(tmp_path / "none.json")), ConfigError)
    assert isinstance(error("dprm"), ConfigError)
    for text in ("", "[" * 100_000, '{"size": 1, "size": 2}'):
        broken.write_text(text)
        assert isinstance(error("tiers", str(broken)), ConfigError)
    broken.write_bytes(b"\xff\xfe{")
    assert isinstance(error("tiers", str(broken)), ConfigError)
    assert isinstance(error("tiers", str(tmp_path)), ConfigError)
    broken.write_text("{}")
    missing = error("dprm", str(broken))
    assert isinstance(missing, MarginError) and missing.field
    unknown = error("astrology", str(broken))
    assert isinstance(unknown, MarginError) and unknown.field == "model"
