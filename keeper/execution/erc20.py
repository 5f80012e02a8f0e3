"""The few token calls that execution makes itself: allowances, exact and taken back."""

from __future__ import annotations

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

_APPROVE = function_signature_to_4byte_selector("approve(address,uint256)")
_BALANCE_OF = function_signature_to_4byte_selector("balanceOf(address)")
_ALLOWANCE = function_signature_to_4byte_selector("allowance(address,address)")


def approve(spender: str, amount: int) -> str:
    return "0x" + (_APPROVE + encode(["address", "uint256"], [spender, amount])).hex()


def allowance(owner: str, spender: str) -> str:
    return "0x" + (_ALLOWANCE + encode(["address", "address"], [owner, spender])).hex()


def balance_of(owner: str) -> str:
    return "0x" + (_BALANCE_OF + encode(["address"], [owner])).hex()


def approved(returned: str) -> bool:
    """Whether an `approve` that did not revert succeeded: old tokens return nothing, others true."""
    return returned in ("", "0x") or int(returned, 16) == 1
