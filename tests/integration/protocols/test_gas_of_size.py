"""Whatever an estimate says, what accounts really take is measured: none is refused for want of gas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from keeper.localchain.anvil import Anvil, AnvilOptions
from tests.conformance.aave_case import AaveCase
from tests.conformance.case import Case
from tests.conformance.exchange import open_exchange
from tests.conformance.trove_case import TroveCase
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, keeping

pytestmark = pytest.mark.integration

OWNERS = ["0x" + f"{0xB0 + number:02x}" * 20 for number in range(4)]


@pytest.mark.parametrize(
    ("build", "constants"),
    [
        (AaveCase.of("3.6"), {"aave_v3.offering": ("CALL_GAS", "POSITION_GAS")}),
        (TroveCase, {"liquity.planning": ("OFFSET_GAS", "REDISTRIBUTION_GAS", "FIRST_GAS")}),
    ],
    ids=["aave", "troves"],
)
def test_estimates_that_are_far_too_low_refuse_nobody(
    build: Callable[[Anvil], Case],
    constants: dict[str, tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module, names in constants.items():
        for name in names:
            monkeypatch.setattr(f"keeper.protocols.{module}.{name}", 1_000)
    # Nor is there any room above the estimate.
    monkeypatch.setattr("keeper.execution.batch_gas.CAP_PERCENT", 1)
    monkeypatch.setattr("keeper.execution.batch_gas.COLD_GAS", 1)
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        case = build(anvil)
        accounts = {case.near(owner) for owner in OWNERS}
        exchange = open_exchange(case)
        anvil.set_automine(False)
        anvil.set_timestamp_interval(BLOCK_SECONDS)
        k = keeping(anvil, case.toml(), tmp_path, chain=exchange.settings())
        k.step(case.hold())
        fall = case.fall()
        exchange.follow()
        k.step(fall)
        for _ in range(5):
            k.step(case.hold())
        intents = [(i.account, i.state, i.reason) for i in k.intents()]
        assert {account for account, state, _ in intents if state == "settled"} == accounts, intents
        assert not [each for each in intents if each[1] == "refused"], intents
