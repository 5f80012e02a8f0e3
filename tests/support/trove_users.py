"""What else users of a local trove system do, as transactions for `send_batch`."""

from __future__ import annotations

from keeper.chain.calldata import ZERO_ADDRESS
from keeper.localchain.transactions import Tx, call_of
from keeper.localchain.troves import GAS, TroveDeployment, operation


def add_collateral(
    system: TroveDeployment, who: str, collateral: int, hints: tuple[str, str] = (ZERO_ADDRESS, ZERO_ADDRESS)
) -> Tx:
    return operation(system, who, collateral, "addColl(address,address)", *hints)


def close(system: TroveDeployment, who: str) -> Tx:
    return operation(system, who, 0, "closeTrove()")


def liquidate(system: TroveDeployment, who: str, troves: list[str]) -> Tx:
    call = call_of(who, system.trove_manager, "batchLiquidateTroves(address[])", troves)
    return {**call, "gas": 10 * GAS}
