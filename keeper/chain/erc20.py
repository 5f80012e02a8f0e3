"""Calls of ERC-20 tokens, and their answers decoded."""

from __future__ import annotations

from functools import lru_cache

from keeper.chain import abi
from keeper.chain.calldata import calldata, encoded
from keeper.chain.calls import Answer, Call

# Symbols are asked for at every tick that plans.
_REPEATED = 4_096
SYMBOL_LETTERS = 32
# A token is whatever somebody deployed: what it burns is taken from no other call.
BALANCE_GAS, SYMBOL_GAS = 500_000, 200_000
APPROVE = "0x095ea7b3"
"""The selector of `approve`."""


def balance_of(token: str, owner: str) -> Call:
    return Call(token, encoded("balanceOf(address)", owner), BALANCE_GAS)


@lru_cache(_REPEATED)
def symbol(token: str) -> Call:
    return Call(token, encoded("symbol()"), SYMBOL_GAS)


def read_uint(answer: Answer) -> int:
    """The first word; zero when the call failed."""
    return int.from_bytes(answer.data[:32], "big") if answer.ok else 0


def read_address(answer: Answer) -> str:
    """The first word as an address; the zero address when the call failed."""
    return f"0x{read_uint(answer):040x}"


def read_symbol(answer: Answer, token: str) -> str:
    """A token's symbol, cut to `SYMBOL_LETTERS`; its address if it has none."""
    return abi.text(answer, SYMBOL_LETTERS) or token


def approve(spender: str, amount: int) -> str:
    return calldata("approve(address,uint256)", spender, amount)


def allowance(owner: str, spender: str) -> str:
    return calldata("allowance(address,address)", owner, spender)


def approved(returned: str) -> bool:
    """Whether an `approve` that did not revert succeeded: old tokens return nothing, others true."""
    return returned in ("", "0x") or int(returned, 16) == 1
