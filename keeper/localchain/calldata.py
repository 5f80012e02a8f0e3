"""Encoding and decoding of contract calls from a signature in plain words, e.g. `mint(address,uint256)`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.grammar import TupleType, parse
from eth_utils.crypto import keccak

from keeper.localchain.rpc import LocalRpc


def calldata(signature: str, *arguments: object) -> str:
    """0x-prefixed call data of a function given by its canonical signature; tuples as `(type,type)`."""
    selector, types = _function(signature)
    return "0x" + (selector + abi_encode(types, arguments)).hex()


def constructor_data(types: Sequence[str], *arguments: object) -> bytes:
    """Encoded constructor arguments, to be appended to creation code."""
    return abi_encode(types, arguments)


def view(
    rpc: LocalRpc, target: str, signature: str, arguments: Sequence[object], *returns: str
) -> tuple[object, ...]:
    """Calls a view function at the latest block; values decoded by the types in `returns`."""
    answer = rpc.text("eth_call", {"to": target, "data": calldata(signature, *arguments)}, "latest")
    return decoded(returns, answer)


def view_address(rpc: LocalRpc, target: str, signature: str, *arguments: object) -> str:
    """A view function's single address, lower case."""
    return str(view(rpc, target, signature, arguments, "address")[0])


def view_int(rpc: LocalRpc, target: str, signature: str, *arguments: object) -> int:
    """A view function's first word as an unsigned integer."""
    answer = rpc.text("eth_call", {"to": target, "data": calldata(signature, *arguments)}, "latest")
    return int(answer[2:66], 16)


def decoded(types: Sequence[str], data: str) -> tuple[object, ...]:
    """Values of 0x-prefixed ABI data."""
    return tuple(abi_decode(types, bytes.fromhex(data[2:])))


@lru_cache(maxsize=512)
def _function(signature: str) -> tuple[bytes, tuple[str, ...]]:
    selector = keccak(text=signature)[:4]
    parameters = signature[signature.index("(") :]
    if parameters == "()":
        return selector, ()
    parsed = parse(parameters)
    if not isinstance(parsed, TupleType):
        raise TypeError(f"not a function signature: {signature}")
    return selector, tuple(part.to_type_str() for part in parsed.components)
