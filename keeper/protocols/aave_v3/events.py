"""Which events change whom. Every mint, burn and transfer of a token says so itself; the pool adds the
switches that move no token."""

from __future__ import annotations

from keeper.protocols.event_table import EventTable, topic

TRANSFER = topic("Transfer(address,address,uint256)")

HEARD = EventTable(
    {
        TRANSFER: (1, 2),
        topic("UserEModeSet(address,uint8)"): (1,),
        topic("ReserveUsedAsCollateralEnabled(address,address)"): (2,),
        topic("ReserveUsedAsCollateralDisabled(address,address)"): (2,),
    }
)
