"""Encoding and decoding of contract calls by a signature such as `mint(address,uint256)`."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import decode as abi_decode

from keeper.chain.calldata import calldata as calldata
from keeper.localchain.rpc import LocalRpc


def view(
    rpc: LocalRpc, target: str, signature: str, arguments: Sequence[object], *returns: str
) -> tuple[object, ...]:
    """Call a view function at the latest block; its values, decoded by the types in `returns`."""
    answer = rpc.text("eth_call", {"to": target, "data": calldata(signature, *arguments)}, "latest")
    return decoded(returns, answer)


def view_address(rpc: LocalRpc, target: str, signature: str, *arguments: object) -> str:
    """Call a view function that returns one address; lower case."""
    return str(view(rpc, target, signature, arguments, "address")[0])


def decoded(types: Sequence[str], data: str) -> tuple[object, ...]:
    """Values of 0x-prefixed ABI data."""
    return tuple(abi_decode(types, bytes.fromhex(data[2:])))
