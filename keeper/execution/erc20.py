"""The few token calls that execution makes itself: allowances, exact and taken back."""

from __future__ import annotations

from keeper.chain.calldata import calldata

APPROVE = "0x095ea7b3"
"""The selector of `approve`."""


def approve(spender: str, amount: int) -> str:
    return calldata("approve(address,uint256)", spender, amount)


def allowance(owner: str, spender: str) -> str:
    return calldata("allowance(address,address)", owner, spender)


def approved(returned: str) -> bool:
    """Whether an `approve` that did not revert succeeded: old tokens return nothing, others true."""
    return returned in ("", "0x") or int(returned, 16) == 1
