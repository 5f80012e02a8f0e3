"""Which events change whom. Every mint, burn and transfer of a token says so itself; the pool adds the
switches that move no token."""

from __future__ import annotations

from collections.abc import Iterable

from eth_utils.abi import event_signature_to_log_topic

from keeper.book.source import Touched
from keeper.chain.logs import Log


def _topic(signature: str) -> str:
    return "0x" + event_signature_to_log_topic(signature).hex()


TRANSFER = _topic("Transfer(address,address,uint256)")
EMODE_SET = _topic("UserEModeSet(address,uint8)")
COLLATERAL_ON = _topic("ReserveUsedAsCollateralEnabled(address,address)")
COLLATERAL_OFF = _topic("ReserveUsedAsCollateralDisabled(address,address)")
UPGRADED = _topic("Upgraded(address)")

TOPICS = (TRANSFER, EMODE_SET, COLLATERAL_ON, COLLATERAL_OFF, UPGRADED)

# Positions of the account among an event's topics.
_ACCOUNTS = {TRANSFER: (1, 2), EMODE_SET: (1,), COLLATERAL_ON: (2,), COLLATERAL_OFF: (2,)}
_NOBODY = "0x" + "0" * 40


def touched(logs: Iterable[Log]) -> Touched:
    """The accounts these events changed, and whether a proxy among the emitters was upgraded."""
    accounts = set()
    upgraded = False
    for log in logs:
        topic = log.topics[0]
        upgraded = upgraded or topic == UPGRADED
        for position in _ACCOUNTS.get(topic, ()):
            accounts.add("0x" + log.topics[position][26:])
    accounts.discard(_NOBODY)
    return Touched(frozenset(accounts), upgraded)
