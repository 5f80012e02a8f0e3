"""Which of Comet's events change whose account. A transfer of base between two borrowers emits none: rotation
through all accounts and the totals find it."""

from __future__ import annotations

from collections.abc import Iterable

from eth_utils.abi import event_signature_to_log_topic

from keeper.book.source import Touched
from keeper.chain.logs import Log


def _topic(signature: str) -> str:
    return "0x" + event_signature_to_log_topic(signature).hex()


# Where accounts stand among the topics.
_ACCOUNTS = {
    _topic("Supply(address,address,uint256)"): (1, 2),
    _topic("Withdraw(address,address,uint256)"): (1, 2),
    _topic("Transfer(address,address,uint256)"): (1, 2),
    _topic("SupplyCollateral(address,address,address,uint256)"): (1, 2),
    _topic("TransferCollateral(address,address,address,uint256)"): (1, 2),
    _topic("WithdrawCollateral(address,address,address,uint256)"): (1, 2),
    _topic("AbsorbDebt(address,address,uint256,uint256)"): (2,),
    _topic("AbsorbCollateral(address,address,address,uint256,uint256)"): (2,),
}
UPGRADED = _topic("Upgraded(address)")
TOPICS = (*_ACCOUNTS, UPGRADED)
_NOBODY = "0x" + "0" * 40


def touched(logs: Iterable[Log]) -> Touched:
    accounts: set[str] = set()
    upgraded = False
    for log in logs:
        upgraded = upgraded or log.topics[0] == UPGRADED
        accounts.update("0x" + log.topics[i][26:] for i in _ACCOUNTS.get(log.topics[0], ()))
    accounts.discard(_NOBODY)
    return Touched(frozenset(accounts), upgraded)
