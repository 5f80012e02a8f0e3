"""Calls to `contracts/src/UniswapV3Lens.sol`, which is called without being deployed, and their answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eth_abi.abi import decode

from keeper.chain.calldata import encoded
from keeper.chain.calls import ALL_GAS, Answer, Call, Lens
from keeper.contracts import runtime_code
from keeper.venues.uniswap_v3.pool import Pool

ADDRESS = "0x00000000000000000000000000000000ba7c0034"
# Ticks read on either side of the price: a move by two fifths. What would go beyond is not quoted.
REACH = 5_000

_POOL = (
    "(address,address,address,uint24,int24,uint160,int24,"
    "uint128,uint256,uint256,int16,int16,(int24,int128)[])"
)
_READ = "read(address,address[],uint24[],int24)"
_LENDERS = "lenders(address,address[],address[],uint24[])"


def lens() -> Lens:
    return Lens(ADDRESS, runtime_code("UniswapV3Lens"))


def read_call(factory: str, tokens: Iterable[str], fees: Sequence[int]) -> Call:
    """The call for every pool between two of `tokens` with one of these fees (millionths)."""
    wanted = sorted({token.lower() for token in tokens})
    return Call(ADDRESS, encoded(_READ, factory, wanted, list(fees), REACH), ALL_GAS)


def lenders_call(factory: str, tokens: Iterable[str], beside: Iterable[str], fees: Sequence[int]) -> Call:
    """The call for every pool between one of `tokens` and one of `beside`, as it can lend."""
    data = encoded(_LENDERS, factory, sorted(tokens), sorted(beside), list(fees))
    return Call(ADDRESS, data, ALL_GAS)


def read_pools(answer: Answer) -> list[Pool]:
    """Pools in an answer to either call; none where the factory does not answer."""
    if not answer.ok:
        return []
    return [_pool(raw) for raw in decode([f"{_POOL}[]"], answer.data)[0]]


def read_pool(data: bytes) -> Pool:
    """The one pool of an answer of `one`, which other lenses ask."""
    return _pool(decode([_POOL], data)[0])


def _pool(raw: tuple[Any, ...]) -> Pool:
    """A pool from the contract's fields in their order; addresses and ticks come apart."""
    *told, ticks = raw
    indices, nets = tuple(index for index, _ in ticks), tuple(net for _, net in ticks)
    values: tuple[Any, ...] = (*(each.lower() for each in told[:3]), *told[3:], indices, nets)
    return Pool(*values)
