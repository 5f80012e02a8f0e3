"""Transfers of nothing to ourselves: what a cancellation or a filled gap sends, and the gas it takes."""

from __future__ import annotations

import structlog

from keeper.chain.pool import NodePool
from keeper.errors import KeeperError
from keeper.execution.rehearsal import Action, with_margin

log = structlog.get_logger()

NOTHING = "0x"
# Where no node estimates it (our own account may have code that refuses a call): chains that charge data in
# gas take several hundred thousand. What is not used costs nothing.
PLENTY = 500_000


def to_ourselves(purpose: str, sender: str) -> Action:
    """The action of a cancellation ("cancel") or of a filled gap ("fill")."""
    return Action(purpose, sender, NOTHING)


def gas_for(pool: NodePool, sender: str, at_least: int = 0) -> int:
    """The gas limit for a transfer of nothing, estimated: a plain transfer takes more than 21,000 where data
    is charged in gas, or where the account has code. `at_least` where it cannot be estimated."""
    call = {"from": sender, "to": sender, "value": "0x0", "data": NOTHING}
    try:
        return with_margin(int(pool.call("eth_estimateGas", call), 16))
    except (KeeperError, TypeError, ValueError) as error:
        log.info("gas not estimated", chain=pool.name, instead=max(PLENTY, at_least), why=str(error))
        return max(PLENTY, at_least)
