"""Shocks: a stand-in takes a leaf feed's place at its own address, then gives a new round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from eth_utils.crypto import keccak

from keeper.contracts import runtime_code
from keeper.errors import ConfigError
from keeper.fork.leaves import Leaf, read_leaf
from keeper.localchain.anvil import Anvil
from keeper.localchain.transactions import call_of, queue

_STATE = int.from_bytes(keccak(text="keeper.fork.feed"))
_MOVER = "0x" + "5f" * 20
_MOVER_WEI = 10**20


@dataclass(frozen=True, slots=True)
class Shock:
    """A requested move: `feed` is a feed's address or description, or an asset's symbol or address."""

    feed: str
    change: Decimal


@dataclass(frozen=True, slots=True)
class PriceMove:
    """A feed and the answer (its own decimals) it will give."""

    leaf: Leaf
    answer: int


def parse_shock(text: str) -> Shock:
    """Parse `FEED=-30%` into a feed and a change of -0.3; ConfigError for anything else."""
    feed, _, change = text.rpartition("=")
    try:
        percent = Decimal(change.strip().removesuffix("%")) if change.strip().endswith("%") else None
    except InvalidOperation:
        percent = None
    if not feed.strip() or percent is None or not percent.is_finite() or percent < -100:
        raise ConfigError(
            f"{text[:80]!r} is no shock", where="--shock", remedy="Write it like WETH=-30% (at least -100%)"
        )
    return Shock(feed.strip(), percent / 100)


def resolve(
    anvil: Anvil, shocks: Sequence[Shock], symbols: Mapping[str, str], leaves: Mapping[str, Sequence[str]]
) -> list[PriceMove]:
    """The feeds to move. `symbols` names assets (lower case → symbol), `leaves` the feeds of each asset.

    ConfigError when a name matches nothing, or an asset that depends on several feeds.
    """
    known = {address: read_leaf(anvil.rpc, address) for each in leaves.values() for address in each}
    moves: dict[str, PriceMove] = {}
    for shock in shocks:
        leaf = known[_find(shock.feed, known, symbols, leaves)]
        if leaf.address in moves:
            raise ConfigError(
                f"{shock.feed} and another shock move the same feed", where="--shock", remedy="Name it once"
            )
        moves[leaf.address] = PriceMove(leaf, int(leaf.answer * (1 + shock.change)))
    return list(moves.values())


def put_in_place(anvil: Anvil, moves: Sequence[PriceMove]) -> None:
    """Lay the stand-in over every feed, giving the answer, round and time that the feed gives now."""
    code = bytes.fromhex(runtime_code("ShockedFeed").removeprefix("0x"))
    anvil.set_balance(_MOVER, _MOVER_WEI)
    for move in moves:
        leaf = move.leaf
        anvil.set_code(leaf.address, code)
        words = (leaf.answer % 2**256, leaf.updated_at, leaf.round, leaf.decimals)
        for offset, word in enumerate(words):
            anvil.set_storage_at(leaf.address, _STATE + offset, word)


def announce(anvil: Anvil, moves: Sequence[PriceMove]) -> None:
    """Give the stand-ins their new rounds, for the next block."""
    for move in moves:
        queue(anvil, call_of(_MOVER, move.leaf.address, "update(int256)", move.answer))


def _find(
    name: str, known: Mapping[str, Leaf], symbols: Mapping[str, str], leaves: Mapping[str, Sequence[str]]
) -> str:
    wanted = name.lower()
    fits = {a for a, leaf in known.items() if wanted in (a, leaf.description.lower())}
    if not fits:
        fits = {
            leaf
            for asset, behind in leaves.items()
            if wanted in (asset, symbols.get(asset, "").lower())
            for leaf in behind
        }
    if len(fits) == 1:
        return fits.pop()
    choices = [f"{a} {known[a].description}".strip() for a in sorted(fits or known)]
    assets = "" if fits else f" or an asset: {', '.join(sorted(symbols.values()))}"
    what = "hangs on several feeds" if fits else "is no feed or asset here"
    raise ConfigError(f"{name!r} {what}", where="--shock", remedy=f"Name one of {'; '.join(choices)}{assets}")
