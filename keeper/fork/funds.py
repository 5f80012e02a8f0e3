"""Tokens for a throw-away account on a fork: written into the token's storage, or lent by a holder."""

from __future__ import annotations

from collections.abc import Iterator

from eth_utils.crypto import keccak

from keeper.errors import KeeperError
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, RpcRefusedError, as_str

_SLOTS = 64
# Where OpenZeppelin 5's upgradeable ERC-20 keeps its state (ERC-7201, "openzeppelin.storage.ERC20").
_OZ5 = 0x52C63247E1F47DB19D5CE0460030C497F067CA4CEBF71BA98EEADABE20BACE00


def give(anvil: Anvil, token: str, account: str, amount: int, holder: str) -> int:
    """Give `account` up to `amount` units of `token`; returns what it then has.

    The balance's storage place is found by trying. A token that keeps balances otherwise (shares, proxies
    to other contracts) is sent by `holder`, at most half of what it has.
    """
    place = _balance_place(anvil, token, account, amount)
    if place is not None:
        anvil.set_storage_at(token, place, amount)
    else:
        _send(anvil, token, holder, account, min(amount, balance(anvil, token, holder) // 2))
    return balance(anvil, token, account)


def balance(anvil: Anvil, token: str, account: str) -> int:
    """Units of `token` that `account` has."""
    answer = _call(anvil, token, calldata("balanceOf(address)", account))
    return int(answer, 16) if answer not in (None, "0x") else 0


def _balance_place(anvil: Anvil, token: str, account: str, amount: int) -> int | None:
    """The storage word whose value is the account's balance, found by calls that write nothing."""
    asked = calldata("balanceOf(address)", account)
    for place in _candidates(account):
        state: Json = {token: {"stateDiff": {f"0x{place:064x}": f"0x{amount:064x}"}}}
        answer = _call(anvil, token, asked, state)
        if answer is not None and len(answer) == 66 and int(answer, 16) == amount:
            return place
    return None


def _candidates(account: str) -> Iterator[int]:
    who = bytes.fromhex(account[2:]).rjust(32, b"\0")
    for slot in (*range(_SLOTS), _OZ5):
        word = slot.to_bytes(32, "big")
        yield int.from_bytes(keccak(who + word))  # Solidity's mapping
        yield int.from_bytes(keccak(word + who))  # Vyper's


def _call(anvil: Anvil, target: str, data: str, state: Json = None) -> str | None:
    parameters: list[Json] = [{"to": target, "data": data}, "latest"]
    try:
        return as_str(anvil.rpc.call("eth_call", *parameters, *([state] if state else [])))
    except RpcRefusedError:
        return None


def _send(anvil: Anvil, token: str, holder: str, to: str, amount: int) -> None:
    """Make one transfer as if by `holder`; where the token refuses it, `to` gets nothing."""
    data = calldata("transfer(address,uint256)", to, amount)
    anvil.set_balance(holder, 10**19)
    anvil.impersonate(holder)
    try:
        anvil.rpc.call("eth_sendTransaction", {"from": holder, "to": token, "data": data})
    except RpcRefusedError as error:
        raise KeeperError(
            f"cannot be given to the fork's account: {error.what}", where=f"token {token}"
        ) from None
    finally:
        anvil.rpc.call("anvil_stopImpersonatingAccount", holder)
