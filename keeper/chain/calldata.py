"""Calls and events named by a signature, as in `transfer(address,uint256)`; tuples as `(type,type)`."""

from __future__ import annotations

from functools import lru_cache

from eth_abi.abi import encode
from eth_abi.grammar import TupleType, parse
from eth_utils.abi import event_signature_to_log_topic, function_signature_to_4byte_selector

ZERO_ADDRESS = "0x" + "00" * 20
_KNOWN = 1_024


def encoded(signature: str, *arguments: object) -> bytes:
    """Selector and arguments of a call."""
    selector, types = _function(signature)
    return selector + encode(types, arguments)


def calldata(signature: str, *arguments: object) -> str:
    """As `encoded`, 0x hex."""
    return "0x" + encoded(signature, *arguments).hex()


def topic(signature: str) -> str:
    """An event's first topic, 0x hex."""
    return "0x" + event_signature_to_log_topic(signature).hex()


@lru_cache(_KNOWN)
def _function(signature: str) -> tuple[bytes, tuple[str, ...]]:
    """Parse a signature once: the same few are asked for at every block."""
    parameters = signature[signature.index("(") :]
    types = parse(parameters) if parameters != "()" else None
    listed = tuple(each.to_type_str() for each in types.components) if isinstance(types, TupleType) else ()
    return function_signature_to_4byte_selector(signature), listed
