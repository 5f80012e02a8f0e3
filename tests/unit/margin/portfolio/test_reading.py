"""Portfolio files: what they say is what the engine gets, and mistakes are named where they are."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from keeper.errors import MarginError
from keeper.margin.options.derive.pmrm2 import Pmrm2Portfolio
from keeper.margin.options.derive.pmrm2_parameters import Pmrm2Parameters
from keeper.margin.options.derive.shocks import VolShock
from keeper.margin.options.opyn import CollateralAsset, Vault
from keeper.margin.portfolio.engine import evaluate
from keeper.margin.portfolio.reading import read
from keeper.margin.reading import build

pytestmark = pytest.mark.unit

FILE: dict[str, Any] = {
    "market": {"BTC": 60_000, "ETH": 3_000.0},
    "parameters": {
        "provenance": {"version": "2026-01", "dated": "2026-01-31", "source": "risk desk"},
        "price_range": {"ETH": 0.2, "BTC": 0.15}, "haircut": {"BTC": 0.1, "ETH": 0.15},
        "price_steps": 4, "tails": [[3.0, 0.3]],
        "stresses": [{"name": "crash", "moves": {"BTC": -0.5}, "otherwise": -0.6, "volatility": 2.0}],
        "correlation": [[1, 0.5], [0.5, 1]], "volatility_shock": {"up": 0.4},
        "concentration": {
            f"{greek}_depth": {"BTC": 1e6, "ETH": 5e5} for greek in ("delta", "gamma", "vega")
        },
        "initial_factor": 1.3,
    },
    "accounts": [
        {"cash": 10_000.0},
        {
            "cash": -500.0,
            "options": [{"underlying": "ETH", "quantity": -2.0, "strike": 3_200.0, "years": 0.1,
                         "volatility": 0.7, "is_call": True}],
            "perps": [{"underlying": "BTC", "quantity": 0.1, "entry": 59_000.0}],
            "spot": [{"underlying": "ETH", "quantity": 1.0}],
            "collateral": [{"underlying": "BTC", "quantity": 0.05}],
        },
    ],
}  # fmt: skip


def changed(path: list[Any], new: Any) -> dict[str, Any]:
    raw: Any = copy.deepcopy(FILE)
    at = raw
    for step in path[:-1]:
        at = at[step]
    if new is None:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return raw  # type: ignore[no-any-return]


def test_a_file_is_the_book_it_describes() -> None:
    accounts, market, p = read(json.loads(json.dumps(FILE)))
    assert market.names == ("BTC", "ETH")
    np.testing.assert_array_equal(p.price_range, [0.15, 0.2])
    assert len(p.grid) == 9 * 3 + 1
    np.testing.assert_allclose(p.joint_scenarios.price, [[0.5, 0.4]])
    assert p.initial_factor == 1.3
    v = evaluate(accounts, market, p)
    assert v.equity[0] == 10_000.0
    assert v.initial[0] == 0.0
    assert v.initial[1] > 0


@pytest.mark.parametrize(
    ("path", "new", "field"),
    [
        (["market"], None, "market"),
        (["market", "BTC"], "dear", "market.BTC"),
        (["market", "BTC"], -1.0, "market.spot[0]"),
        (["accounts", 1, "options", 0, "underlying"], "DOGE", "accounts[1].options[0].underlying"),
        (["accounts", 1, "options", 0, "volatility"], None, "accounts[1].options[0].volatility"),
        (["accounts", 1, "options", 0, "years"], -0.1, "options.years[0]"),
        (["accounts", 1, "perps", 0, "entry"], True, "accounts[1].perps[0].entry"),
        (["accounts", 1, "collateral", 0, "quantity"], -1.0, "collateral.quantity[0]"),
        (["accounts", 0, "cash"], float("nan"), "accounts[0].cash"),
        (["accounts", 0, "loan"], 1.0, "accounts[0].loan"),
        (["accounts"], {"cash": 1.0}, "accounts"),
        (["parameters", "provenance", "version"], "", "dprm.provenance"),
        (["extra"], 1, "extra"),
        (["parameters", "provenance", "dated"], "tomorrow", "parameters.provenance.dated"),
        (["parameters", "haircut"], {"BTC": 0.1}, "parameters.haircut"),
        (["parameters", "haircut", "BTC"], 1.5, "dprm.haircut"),
        (["parameters", "margin"], 1.0, "parameters.margin"),
        (["parameters", "stresses", 0, "moves"], {"DOGE": -0.1}, "stress[crash].moves"),
        (["parameters", "concentration", "vega_depth"], None, "parameters.concentration.vega_depth"),
        (["parameters", "tails"], [[1.0]], "parameters.tails[0]"),
    ],
)
def test_mistakes_are_named_where_they_are(path: list[Any], new: Any, field: str) -> None:
    with pytest.raises(MarginError) as caught:
        read(changed(path, new))
    assert caught.value.field == field


def test_protocol_inputs_are_built_by_their_own_types() -> None:
    account = build(
        Pmrm2Portfolio,
        {
            "spot": 2_000, "spot_confidence": 1, "stable_price": 1, "cash": 5,
            "expiries": [{"seconds": 86_400, "forward_fixed": 0, "forward_variable": 2_010, "confidence": 1,
                          "options": [{"strike": 2_000, "is_call": True, "amount": -1, "volatility": 0.6}]}],
        },
        "positions",
    )  # fmt: skip
    assert account.expiries[0].options[0].amount == -1.0
    parameters = build(
        Pmrm2Parameters,
        {
            "provenance": {"version": "x", "dated": "2025-02-01", "source": "y"},
            "scenarios": [{"spot": 1.1, "volatility": "up"}],
        },
        "parameters",
    )
    assert parameters.scenarios[0].volatility is VolShock.UP
    vault = build(
        Vault,
        {"is_put": True, "collateral": "123456789012345678901", "collateral_decimals": 18,
         "collateral_asset": "strike"},
        "positions",
    )  # fmt: skip
    assert vault.collateral == 123456789012345678901
    assert vault.collateral_asset is CollateralAsset.STRIKE


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"is_put": 1, "collateral": 1, "collateral_decimals": 6, "collateral_asset": "strike"}, "v.is_put"),
        (
            {"is_put": True, "collateral": 1.5, "collateral_decimals": 6, "collateral_asset": "strike"},
            "v.collateral",
        ),
        (
            {"is_put": True, "collateral": 1, "collateral_decimals": 6, "collateral_asset": "gold"},
            "v.collateral_asset",
        ),
        ({"is_put": True}, "v.collateral"),
        ([], "v"),
    ],
)
def test_wrong_kinds_are_refused(raw: Any, field: str) -> None:
    with pytest.raises(MarginError) as caught:
        build(Vault, raw, "v")
    assert caught.value.field == field


def test_left_out_parameters_keep_their_source_and_changed_ones_are_the_files() -> None:
    assert build(Pmrm2Parameters, {}, "p").provenance == Pmrm2Parameters().provenance
    changed_factor = build(Pmrm2Parameters, {"factors": {"maintenance": 0.9}}, "p")
    assert changed_factor.provenance.source == "the portfolio file"
    assert changed_factor.factors.maintenance == 0.9
