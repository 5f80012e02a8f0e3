"""Calldata from a function's signature, and an answer's words."""

from __future__ import annotations

from functools import lru_cache

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

_KNOWN = 1_024


def encoded(signature: str, *arguments: object) -> bytes:
    """Selector and arguments of a call, as in `transfer(address,uint256)`; tuples are written as tuples."""
    selector, types = _parsed(signature)
    return selector + encode(types, arguments)


def words(data: bytes) -> list[int]:
    """An answer as unsigned 32-byte words; what is left over at its end is ignored."""
    return [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data) - 31, 32)]


@lru_cache(_KNOWN)
def _parsed(signature: str) -> tuple[bytes, tuple[str, ...]]:
    return function_signature_to_4byte_selector(signature), _types(signature[signature.index("(") + 1 : -1])


def _types(listed: str) -> tuple[str, ...]:
    """A parameter list cut at its own commas, not at those within tuples."""
    depth, start = 0, 0
    found = []
    for at, sign in enumerate(listed):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            found.append(listed[start:at])
            start = at + 1
    return (*found, listed[start:]) if listed else ()
