"""Every model of the catalogue answers its example portfolio, and names what is wrong with a bad one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keeper.errors import MarginError
from keeper.margin.catalogue import ENTRIES, answer
from keeper.margin.interface import Requirement

pytestmark = pytest.mark.unit

PORTFOLIOS = Path(__file__).parent / "portfolios"
EXAMPLES: dict[str, Any] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(PORTFOLIOS.glob("*.json"))
}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """(path as messages have it, keys to get there) of every scalar outside arrays of numbers."""
    if isinstance(value, dict):
        for key, item in value.items():
            for found, keys in leaves(item, f"{path}.{key}" if path else key):
                yield found, [key, *keys]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, item in enumerate(value):
            for found, keys in leaves(item, f"{path}[{place}]"):
                yield found, [place, *keys]
    else:
        yield path, []


def changed(document: Any, keys: list[Any], value: Any) -> Any:
    copied = copy.deepcopy(document)
    target = copied
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value
    return copied


def test_every_model_has_an_example_portfolio() -> None:
    assert set(EXAMPLES) == set(ENTRIES)


@pytest.mark.parametrize("model", EXAMPLES)
def test_examples_are_answered_and_explained(model: str) -> None:
    found = answer(model, EXAMPLES[model])
    needed = found.requirement
    assert needed.initial >= needed.maintenance > 0  # type: ignore[operator]
    assert np.isfinite(needed.health)
    assert found.breached is bool(needed.equity < needed.maintenance)  # type: ignore[operator]
    assert found.explanation
    assert found.unit
    assert found.provenance.source


BAD_LEAVES = [(model, path, keys) for model, document in EXAMPLES.items() for path, keys in leaves(document)]


@pytest.mark.parametrize(
    ("model", "path", "keys"), BAD_LEAVES, ids=[f"{model}:{path}" for model, path, _ in BAD_LEAVES]
)
@pytest.mark.parametrize("bad", [float("nan"), None, {}, "one"])
def test_an_unreadable_value_names_its_path(model: str, path: str, keys: list[Any], bad: Any) -> None:
    with pytest.raises(MarginError) as refused:
        answer(model, changed(EXAMPLES[model], keys, bad))
    assert refused.value.field == path


@pytest.mark.parametrize("model", EXAMPLES)
def test_a_misspelt_field_is_not_ignored(model: str) -> None:
    with pytest.raises(MarginError, match="not a field of this model") as refused:
        answer(model, {**EXAMPLES[model], "eqiuty": 1})
    assert refused.value.field == "eqiuty"


@pytest.mark.parametrize(
    ("model", "document", "field"),
    [
        ("no-such-model", {}, "model"),
        ("tiers", [], "the file"),
        ("tiers", {"size": 1, "price": 1, "equity": 1}, "table"),
        ("tiers", {"table": "none", "size": 1, "price": 1, "equity": 1}, "table"),
        ("aave-v3", {"version": "2.0", "positions": []}, "version"),
        ("expected-shortfall", {"method": "guess", "exposures": [1], "equity": 1}, "method"),
        (
            "expected-shortfall",
            {"exposures": [1, 2], "equity": 1, "returns": [[0.1], [0.2]] * 40},
            "exposures",
        ),
        ("dynamic", {**EXAMPLES["dynamic"], "maintenance_share": 0}, "maintenance_share"),
        ("tiers", {**EXAMPLES["tiers"], "price": -1}, "mark"),
        ("tiers", {**EXAMPLES["tiers"], "size": "1e999999999"}, "size"),
        ("tiers", {**EXAMPLES["tiers"], "size": 1e300}, "size"),
        ("liquity-v1", {**EXAMPLES["liquity-v1"], "pool": -1}, "pool"),
        ("expected-shortfall", {**EXAMPLES["expected-shortfall"], "days": 10**9}, "days"),
        ("expected-shortfall", {**EXAMPLES["expected-shortfall"], "paths": 10**12}, "paths"),
        ("dynamic", {**EXAMPLES["dynamic"], "floor_days": 10**30}, "floor_days"),
    ],
)
def test_a_portfolio_that_cannot_be_valued_names_the_field(model: str, document: Any, field: str) -> None:
    with pytest.raises(MarginError) as refused:
        answer(model, document)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("model", "keys", "bad", "field"),
    [
        ("aave-v3", ["positions", 0, "supplied"], -1, "positions[0].supplied"),
        ("aave-v3", ["positions", 0, "price"], -1, "positions[0].price"),
        ("aave-v3", ["positions", 0, "threshold"], 10_001, "positions[0].threshold"),
        ("aave-v3", ["positions", 1, "owed"], "-5", "positions[1].owed"),
        ("aave-v3", ["positions", 1, "decimals"], 1e300, "positions[1].decimals"),
        ("aave-v3", ["positions", 1, "decimals"], 78, "positions[1].decimals"),
        ("dydx-v4", ["positions", 0, "exponent"], 10**6, "exponent"),
        ("dydx-v4", ["positions", 0, "price"], -1, "price"),
        ("deribit-standard", ["positions", "mark"], [0.1, 0.1, 0.1], "mark"),
        ("deribit-standard", ["positions", "amount"], [], "amount"),
        ("dprm", ["parameters", "price_steps"], 10**9, "price_steps"),
        ("dprm", ["market", "BTC"], 1e300, "initial"),
        ("derive-srm", ["parameters", "base_factor"], 1.1, "srm.base_factor"),
        ("deribit-standard", ["positions", "is_call"], [0.5, 7], "is_call"),
        ("opyn-naked", ["market", "seconds"], 0, "market.seconds"),
        ("dprm", ["accounts"], [], "accounts"),
        ("dprm", ["accounts", 0, "options", 0, "years"], 0, "options.years[0]"),
        ("dprm", ["accounts", 0, "options", 0, "volatility"], -0.1, "options.volatility[0]"),
        ("dprm", ["accounts", 0, "perps", 0, "underlying"], "SOL", "accounts[0].perps[0].underlying"),
        ("liquity-v1", ["system", "debt"], 1, "system.debt"),
        ("morpho-blue", ["position", "borrow_shares"], "9e30", "position.borrow_shares"),
    ],
)
def test_a_value_out_of_range_is_refused(model: str, keys: list[Any], bad: Any, field: str) -> None:
    with pytest.raises(MarginError) as refused:
        answer(model, changed(EXAMPLES[model], keys, bad))
    assert refused.value.field == field


def test_an_exact_health_does_not_overflow() -> None:
    assert Requirement(0, 10**400, 2 * 10**400).health == 2.0
    assert Requirement(0, 0, 10**400).health == float("inf")


@pytest.mark.parametrize(
    "method", ["historical", "filtered-historical", "delta-normal", "cornish-fisher", "monte-carlo"]
)
def test_methods_agree_on_a_normal_portfolio(method: str) -> None:
    generator = np.random.default_rng(4)
    returns = generator.multivariate_normal([0, 0], [[4e-4, 2e-4], [2e-4, 9e-4]], 4_000)
    document = {
        "method": method,
        "exposures": [1_000.0, 500.0],
        "equity": 100,
        "days": 1,
        "returns": returns.tolist(),
    }
    if method == "cornish-fisher":
        document["gamma"] = [[0, 0], [0, 0]]
    if method in {"delta-normal", "cornish-fisher", "monte-carlo"}:
        document["decay"] = 0.999
    found = answer("expected-shortfall", document)
    assert found.requirement.initial == pytest.approx(2.665 * 29.1, rel=0.2)


def test_text_keeps_integers_exact_and_numbers_keep_their_decimal_form() -> None:
    exact = answer("morpho-blue", EXAMPLES["morpho-blue"]).requirement
    assert exact.equity == 172
    assert exact.maintenance == 50
    tiers = answer("tiers", {**EXAMPLES["tiers"], "equity": 0.1}).requirement
    assert str(tiers.equity) == "1/10"


PRE = {
    "pre_lltv": "8e17",
    "pre_lcf_1": "2e17",
    "pre_lcf_2": "8e17",
    "pre_lif_1": "101e16",
    "pre_lif_2": "101e16",
}


def test_pre_liquidation_is_told_where_it_is_authorised() -> None:
    """morpho-org/sdks, PreLiquidationPosition.test.ts, "expose exact limits"."""
    document = {
        "lltv": "86e16",
        "price": "1e36",
        "market": {"total_borrow_assets": "1e12", "total_borrow_shares": "1e18"},
        "position": {"collateral": "2e11", "borrow_shares": "17e16"},
        "pre_liquidation": PRE,
    }
    assert "120189999998" in answer("morpho-blue", document).explanation[-1]
    published = {**document, "pre_liquidation": {"table": "sdk"}}
    assert (
        answer("morpho-blue", published).explanation[-1].startswith("pre-liquidation above a loan to value")
    )
    with pytest.raises(MarginError) as refused:
        answer("morpho-blue", {**document, "pre_liquidation": {**PRE, "pre_lif_1": "5e17"}})
    assert refused.value.field == "pre_lif_1"
    with pytest.raises(MarginError) as refused:
        answer("morpho-blue", {**document, "pre_liquidation": {"table": "other"}})
    assert refused.value.field == "pre_liquidation.table"
