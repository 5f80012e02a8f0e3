"""Known chains by id, from published packages, with a source per row (`known_chains.json`).

`scripts/known_chains.mjs` writes the table. A chain that is not in it works by what is probed and configured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from keeper.config.values import Section

TABLE = Path(__file__).with_name("known_chains.json")

Kind = Literal["", "op-stack", "arbitrum"]
DataFee = Literal["none", "op-stack", "scroll"]


class WrappedNative(Section):
    """The token that stands for a chain's own coin; `address` empty where it differs (local chains)."""

    symbol: str
    address: str = ""


class KnownChain(Section):
    """One chain. `native` is its coin's symbol, `block_time` in seconds, `native_feed` a Chainlink feed of
    the coin in dollars, `data_fee` the kind of chain that charges for data besides gas; None: not
    published."""

    id: int
    name: str
    kind: Kind = ""
    native: str
    wrapped: WrappedNative | None = None
    block_time: Decimal | None = None
    explorer: str = ""
    sequencer_feed: str | None = None
    native_feed: str | None = None
    data_fee: DataFee | None = None
    sources: Mapping[str, str]


_HERE = {"chain": "keeper/localchain: what the keeper's own local chains are"}
_LOCAL = tuple(
    KnownChain(
        id=number,
        name=name,
        native="ETH",
        wrapped=WrappedNative(symbol="WETH"),
        data_fee="none",
        sources=_HERE,
    )
    for number, name in ((31337, "local"), (1337, "chain1337"))
)


@cache
def known_chains() -> Mapping[int, KnownChain]:
    """The whole table, by chain id."""
    rows: list[dict[str, Any]] = json.loads(TABLE.read_text(), parse_float=Decimal)
    found = [*_LOCAL, *(KnownChain.model_validate(row) for row in rows)]
    return {each.id: each for each in found}


def known_chain(chain_id: int) -> KnownChain | None:
    """The row of this id; None for a chain that is not in the table."""
    return known_chains().get(chain_id)


def chain_name(chain_id: int) -> str:
    """The name for people of the chain with this id."""
    row = known_chain(chain_id)
    return row.name if row else f"chain{chain_id}"


def native_coin(chain_id: int) -> str:
    """The name of a chain's own coin."""
    row = known_chain(chain_id)
    return row.native if row else "native coins"
