"""Which of Comet's events change whose account. A transfer of base between two borrowers emits none: rotation
through all accounts and the totals find it."""

from __future__ import annotations

from keeper.protocols.event_table import EventTable, topic

HEARD = EventTable(
    {
        topic("Supply(address,address,uint256)"): (1, 2),
        topic("Withdraw(address,address,uint256)"): (1, 2),
        topic("Transfer(address,address,uint256)"): (1, 2),
        topic("SupplyCollateral(address,address,address,uint256)"): (1, 2),
        topic("TransferCollateral(address,address,address,uint256)"): (1, 2),
        topic("WithdrawCollateral(address,address,address,uint256)"): (1, 2),
        topic("AbsorbDebt(address,address,uint256,uint256)"): (2,),
        topic("AbsorbCollateral(address,address,address,uint256,uint256)"): (2,),
    }
)
