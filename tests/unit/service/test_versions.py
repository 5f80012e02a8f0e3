"""Our contracts are known by the hash of their code, and every version by what it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keeper.config import Settings
from keeper.contracts import artifact
from keeper.protocols.registry import SETTINGS
from keeper.service import redeployment
from keeper.service.contract_versions import CALLBACK, of_code

pytestmark = pytest.mark.unit

OLD, NEW, PAYER, OWNER = ("0x" + each * 20 for each in ("01", "02", "03", "04"))
POOL = "0x" + "90" * 20
V1 = json.loads((Path(__file__).parents[2] / "support" / "liquidator_v1.json").read_text())


def runtime(name: str) -> bytes:
    return bytes.fromhex(str(artifact(name)["deployedBytecode"])[2:])


@pytest.mark.parametrize(
    "name",
    ["Liquidator", "OwnerTopUp", "SynthetixGrant", "CurieGrant", "PriceCarrier", "AvalonGrant"],
)
def test_what_is_compiled_now_is_the_last_version_listed_and_lacks_nothing(name: str) -> None:
    found = of_code(name, runtime(name))
    assert found is not None, "add its hash to abis/contract_versions.json, and what the one before it lacks"
    assert found.is_latest and not found.lacks


def test_an_older_one_is_known_with_what_it_lacks_and_a_strange_one_is_not() -> None:
    found = of_code("Liquidator", bytes.fromhex(V1["deployedBytecode"][2:]))
    assert found is not None
    assert (found.number, found.is_latest, CALLBACK in found.lacks) == (1, False, True)
    assert of_code("Liquidator", b"\x00") is None
    assert of_code("Liquidator", runtime("OwnerTopUp")) is None


def test_what_a_constructor_wrote_into_the_code_is_no_other_version() -> None:
    code = runtime("OwnerTopUp")
    pool = bytes(12) + bytes.fromhex(POOL[2:])
    made = code.replace(b"\x7f" + bytes(32), b"\x7f" + pool)
    assert made != code
    assert of_code("OwnerTopUp", made) is None
    found = of_code("OwnerTopUp", made, POOL)
    assert found is not None and found.is_latest


def settings(more: str = "") -> Settings:
    allowed = [{"target": OLD, "selectors": ["0x12345678"]}, {"target": POOL}]
    return SETTINGS.model_validate(
        {
            "chains": {
                "c": {
                    "chain_id": 1,
                    "rpc": ["http://u"],
                    "liquidator": OLD,
                    "venues": {"uniswap_v3": {"factory": POOL}},
                }
            },
            "markets": {
                "m": {"protocol": "aave-v3", "chain": "c", "address": POOL, "aave_v3": {"owner_top_up": OLD}}
            },
            "protect": [
                {"market": "m", "account": OWNER, "max_spend_per_owner_day": "1", "paid_by": "owner"}
            ],
            "execution": {"allow": allowed},
        }
    )


def test_a_new_liquidator_takes_the_old_ones_place_in_the_allow_list_step_by_step() -> None:
    found = redeployment.moves(settings(), "c", "liquidator", None, NEW, PAYER)
    assert found.allowed == ((("execution", "allow", 0, "target"), NEW),)
    assert any(f"setOperator({PAYER}, false)" in step for step in found.steps)
    assert redeployment.moves(settings(), "c", "liquidator", None, OLD, PAYER) == redeployment.Moves()


def test_each_owners_grants_are_moved_before_the_old_ones_are_taken_back() -> None:
    steps = list(redeployment.moves(settings(), "c", "owner-top-up", "m", NEW, PAYER).steps)
    gives = [n for n, step in enumerate(steps) if f"on {NEW}" in step or f"approve({NEW}" in step]
    takes = [n for n, step in enumerate(steps) if f"approve({OLD}, 0)" in step or f"false) on {OLD}" in step]
    assert len(gives) == 3 and len(takes) == 2 and max(gives) < min(takes)
    assert all(OWNER in steps[n] for n in (*gives, *takes))
