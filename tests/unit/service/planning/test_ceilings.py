"""Ceilings fit the chain where nobody names them: high enough for a crash, no higher than makes sense."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from keeper.config import Settings
from keeper.service import execution
from keeper.service.planning.gas_ceilings import DAY_GAS, GasLevel, fitting_price, gas_ceilings, gas_level
from tests.support.scripted_node import Say, Script, healthy, scripted_pool

pytestmark = pytest.mark.unit

GWEI = 10**9
POOL = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def settings(chain_id: int, chain: dict[str, Any] | None = None, *, name: str = "c", **more: Any) -> Settings:
    at = {"chain_id": chain_id, "rpc": ["http://node"], **(chain or {})}
    market = {"protocol": "aave-v3", "chain": name, "address": POOL}
    return Settings.model_validate({"chains": {name: at}, "markets": {"m": market}, **more})


@pytest.mark.parametrize(
    ("chain_id", "now", "least", "most"),
    [
        (1, GWEI, 300 * GWEI, 1000 * GWEI),
        (1, 90 * GWEI, 500 * GWEI, 2000 * GWEI),
        (8453, GWEI // 100, 5 * GWEI, 50 * GWEI),
        (42161, GWEI // 50, 5 * GWEI, 50 * GWEI),
        (137, 40 * GWEI, 1000 * GWEI, 100_000 * GWEI),
        (987654321, 600 * GWEI, 1200 * GWEI, 100_000 * GWEI),
    ],
)
def test_the_default_fits_the_chain(chain_id: int, now: int, least: int, most: int) -> None:
    assert least <= fitting_price(chain_id, GasLevel(now), None) <= most
    found = gas_ceilings(settings(chain_id).of_chain("c"), GasLevel(now))
    assert found.day == found.price * DAY_GAS and not found.price_given and not found.day_given


def test_where_the_coins_price_is_known_a_large_liquidation_costs_no_more_than_a_thousand() -> None:
    dear, cheap = (fitting_price(137, GasLevel(5 * GWEI), Decimal(each)) for each in ("2500", "0.25"))
    assert dear * 10**6 * 2500 <= 1010 * 10**18 and cheap > 10 * dear


def test_what_the_operator_names_counts_the_chains_own_first() -> None:
    both = settings(
        1,
        {"max_gas_price_gwei": 7, "max_gas_per_day": "0.5"},
        execution={"max_gas_price_gwei": 9, "max_gas_per_day": "2"},
    )
    found = gas_ceilings(both.of_chain("c"), GasLevel(GWEI))
    assert (found.price, found.day) == (7 * GWEI, 5 * 10**17) and "fits" not in found.words
    common = settings(1, execution={"max_gas_price_gwei": 9, "max_gas_per_day": "2"})
    found = gas_ceilings(common.of_chain("c"), GasLevel(GWEI))
    assert (found.price, found.day) == (9 * GWEI, 2 * 10**18)


def test_where_everything_takes_more_gas_a_day_has_more_of_it_and_a_unit_costs_less() -> None:
    """Mantle's kind: thousands of units where others take one, each for a thousandth."""
    usual = gas_ceilings(settings(1).of_chain("c"), GasLevel(GWEI))
    small = gas_ceilings(settings(1).of_chain("c"), GasLevel(GWEI // 1000, scale=1000))
    assert small.price <= usual.price // 100
    assert usual.day // 2 <= small.day <= usual.day * 2
    assert small.day >= 5 * 3 * 10**9 * (GWEI // 1000) * 2, (
        "several transactions of three thousand million gas"
    )


@pytest.mark.parametrize(("chain_id", "coin"), [(1, None), (8453, None), (137, Decimal("0.5"))])
def test_no_gas_price_lifts_the_ceiling_above_what_a_known_coin_allows(
    chain_id: int, coin: Decimal | None
) -> None:
    usual, lifted = (fitting_price(chain_id, GasLevel(each * GWEI), coin) for each in (100, 10**6))
    assert lifted <= max(usual, 500 * GWEI if coin is None else 2010 * 10**12)


def test_one_nodes_gas_price_lifts_no_ceiling() -> None:
    def node(price: int, gas: int) -> Script:
        block = {"number": "0x1", "baseFeePerGas": hex(price)}
        answers = {
            "eth_feeHistory": {"baseFeePerGas": [hex(price)] * 6, "reward": [["0x1"]] * 5},
            "eth_getBlockByNumber": block,
            "eth_maxPriorityFeePerGas": "0x1",
            "eth_gasPrice": hex(price),
            "eth_estimateGas": hex(gas),
        }
        return lambda method, params: Say(answers[method]) if method in answers else healthy(method, params)

    liar, honest = node(10**6 * GWEI, 10**12), node(GWEI, 21_000)
    assert gas_level(scripted_pool(liar, honest)[0]) == GasLevel(GWEI)
    assert gas_level(scripted_pool(liar, honest, honest)[0]) == GasLevel(GWEI)
    low = node(1, 21_000)
    assert gas_level(scripted_pool(honest, honest, low)[0]).price >= GWEI, "nor does one close everything"


def test_what_nobody_chose_is_told_at_the_start() -> None:
    pool, _ = scripted_pool(healthy)
    with capture_logs() as told:
        limits = execution._fitted(settings(1, name=pool.name), pool, {})
    [line] = [each for each in told if each["event"] == "ceilings"]
    assert line["chain"] == pool.name and line["what"].count("what fits the chain") == 2
    assert limits.max_gas_price > 0 and limits.max_gas_per_day


def test_an_old_key_is_named_with_what_stands_in_its_place() -> None:
    [(key, instead)] = settings(1, policy={"native_price": "2500"}).old_keys
    assert key == "policy.native_price" and "chains.c.native_price" in instead
    assert settings(1, {"native_price": "2500"}).old_keys == ()
