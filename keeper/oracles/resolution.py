"""Resolution of price sources down to their feeds, with one request per level however many sources there
are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from keeper.chain.blocks import Head
from keeper.chain.calls import run
from keeper.chain.pool import NodePool
from keeper.oracles import fixed_prices, shapes
from keeper.oracles.shapes import Found
from keeper.oracles.sources import Source

# Adapters over adapters: Aave's deepest has three levels.
DEEPEST = 6
PROBED_A_CALL = 60


def resolve(pool: NodePool, head: Head, addresses: Iterable[str]) -> dict[str, Source]:
    """The sources at these addresses (lower case) with all their inputs, as they are at `head`.

    A source of unknown kind, deeper than any known adapter, or circular is of kind unresolved.
    """
    known: dict[str, Found] = {}
    wanted = sorted(set(addresses))
    asked = list(wanted)
    for _ in range(DEEPEST):
        if not wanted:
            break
        known.update(_probe(pool, head, wanted))
        below = {
            each
            for address in wanted
            for each in (*known[address].inputs, *known[address].maybe, _aggregator(known[address]))
            if each
        }
        wanted = sorted(below - known.keys())
    return {address: _source(address, known, ()) for address in asked}


def _probe(pool: NodePool, head: Head, addresses: list[str]) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for at in range(0, len(addresses), PROBED_A_CALL):
        some = addresses[at : at + PROBED_A_CALL]
        calls = {address: shapes.calls(address) for address in some}
        answers = iter(run(pool, head, [each for probes in calls.values() for each in probes]))
        for address, probes in calls.items():
            one = shapes.identify(address, [next(answers) for _ in probes])
            found[address] = (
                fixed_prices.look_into(pool, head, address, one) if _says_little(one, head) else one
            )
    return found


def _says_little(found: Found, head: Head) -> bool:
    """Whether its answer shows neither its inputs nor its time: an answer without a time, or with that of the
    very second of the request."""
    if not found.is_leaf or not found.question:
        return False
    return found.kind != "aggregator" or found.updated_at in (0, head.timestamp)


def _aggregator(found: Found) -> str:
    """A proxy's aggregator, to be identified too: only it shows whether this is SVR."""
    return found.emitter if found.kind == "chainlink" else ""


def _source(address: str, known: dict[str, Found], above: tuple[str, ...]) -> Source:
    found = known.get(address)
    if found is None or address in above:
        return Source(address, "unresolved")
    path = (*above, address)
    inputs = [_source(each, known, path) for each in found.inputs]
    if found.updated_at and any(any(each.unresolved()) for each in inputs):
        # What it names may be anything; it gives rounds of its own.
        found, inputs = replace(found, kind="aggregator", emitter=address), []
    perhaps = [_source(each, known, path) for each in found.maybe]
    inputs += [each for each in _outermost(perhaps) if each.kind != "unresolved"]
    if found.kind == "derived" and not any(True for each in inputs for _ in each.feeds()):
        found, inputs = replace(found, kind=found.instead), []
    source = Source(
        address,
        found.kind,
        found.decimals,
        found.description,
        tuple(inputs),
        found.emitter,
        found.note,
        found.is_constant,
    )
    behind = known.get(found.emitter)
    if found.kind == "chainlink" and behind is not None and behind.kind == "svr":
        return replace(source, kind="svr")
    return source


def _outermost(sources: list[Source]) -> list[Source]:
    """The sources without those that are inputs of another, or whose answers another passes on."""
    below = {each.address for one in sources for inner in one.inputs for each in inner.everything()}
    below |= {one.emitter for one in sources if one.emitter != one.address}
    return [one for one in sources if one.address not in below]
