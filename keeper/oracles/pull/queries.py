"""Queries of a reverting read (ERC-7412), and the calldata that answers them, as Pyth's wrapper takes it.

`OracleDataRequired(oracle, query)` names the contract and the query: abi.encode(uint8 kind, uint64 time,
ids), the ids as a list (a node that looks them up) or one id in place, without a length (the wrapper itself).
`Errors(bytes[])` holds several such reverts. The answer is `fulfillOracleQuery(abi.encode(kind, time, ids,
updates))` at the oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.calldata import encoded

LATEST, BENCHMARK = 1, 2
"""Kinds of queries: a price not older than `time` seconds, and the first at or after the Unix time `time`."""

_DATA_REQUIRED = function_signature_to_4byte_selector("OracleDataRequired(address,bytes)")
_ERRORS = function_signature_to_4byte_selector("Errors(bytes[])")
_FULFIL = "fulfillOracleQuery(bytes)"
_SELECTOR = 4
# A price of several sources asks for each of them; lists within lists are as deep as sources are.
_DEEPEST, _MOST = 4, 64
_UNREADABLE = (DecodingError, OverflowError)


@dataclass(frozen=True, slots=True)
class OracleQuery:
    """A query for prices: `oracle` (lower case) is the contract to bring them to."""

    oracle: str
    kind: int
    time: int
    ids: tuple[bytes, ...]


def asked(revert: bytes) -> tuple[OracleQuery, ...]:
    """The queries in a revert's data, in order, each once; none where it is another revert."""
    return tuple(dict.fromkeys(_queries(revert, 0)))[:_MOST]


def _queries(revert: bytes, depth: int) -> list[OracleQuery]:
    try:
        if revert[:_SELECTOR] == _ERRORS and depth < _DEEPEST:
            [reasons] = decode(["bytes[]"], revert[_SELECTOR:])
            return [each for reason in reasons[:_MOST] for each in _queries(reason, depth + 1)]
        if revert[:_SELECTOR] == _DATA_REQUIRED:
            oracle, query = decode(["address", "bytes"], revert[_SELECTOR:])
            return [OracleQuery(str(oracle).lower(), *_read(query))]
    except _UNREADABLE:
        pass
    return []


def _read(query: bytes) -> tuple[int, int, tuple[bytes, ...]]:
    try:
        kind, time, ids = decode(["uint8", "uint64", "bytes32[]"], query)
    except _UNREADABLE:
        kind, time, one = decode(["uint8", "uint64", "bytes32"], query)
        ids = (one,)
    if kind not in (LATEST, BENCHMARK) or not ids:
        raise DecodingError("a query of no known kind")
    return kind, time, tuple(ids)


def fulfilment(kind: int, time: int, ids: Sequence[bytes], updates: Sequence[bytes]) -> bytes:
    """Calldata that brings signed `updates` to an oracle as its answer to such a query."""
    content = encode(["uint8", "uint64", "bytes32[]", "bytes[]"], [kind, time, list(ids), list(updates)])
    return encoded(_FULFIL, content)
