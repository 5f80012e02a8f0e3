"""Price sources: a feed that gives rounds, or an adapter over other sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from keeper.chain import abi

Kind = Literal[
    "chainlink",
    "svr",
    "aggregator",
    "pyth",
    "pulled",
    "stable-cap",
    "ratio-cap",
    "synchronicity",
    "composite",
    "scaled",
    "derived",
    "fixed",
    "morpho-oracle",
    "unresolved",
]
Basis = Literal["feeds", "constant", "set", "nothing"]
"""What a price rests on: `feeds` that give rounds; code that can give no other answer (`constant`); a number
that somebody may set anew (`set`); or `nothing` of these, so that no round ever confirms it."""
FEEDS: frozenset[Kind] = frozenset({"chainlink", "svr", "aggregator", "pyth", "pulled"})
PROXIES: frozenset[Kind] = frozenset({"chainlink", "svr"})

ANSWER_UPDATED = abi.topic("AnswerUpdated(int256,uint256,uint256)")
# What an SVR aggregator says when the protocol's price changes without a new answer being written.
SECONDARY_ROUND = abi.topic("SecondaryRoundIdUpdated(uint32)")
PRIMARY_UNLOCKED = abi.topic("PrimaryFeedUnlocked(uint32)")
PYTH_UPDATE = abi.topic("PriceFeedUpdate(bytes32,uint64,int64,uint64)")
UPDATE_TOPICS = (ANSWER_UPDATED, SECONDARY_ROUND, PRIMARY_UNLOCKED, PYTH_UPDATE)


@dataclass(frozen=True, slots=True)
class Source:
    """A contract that gives a price.

    `kind` by the published interface it answers. `inputs` are the sources an adapter computes from, `emitter`
    the contract that logs a feed's new answers (a proxy's present aggregator). `note` is for people: the cap,
    the ratio's provider, the price id. Addresses in lower case; a `pulled` feed, whose prices are brought and
    whose rounds the market itself reports, is named by the oracle it is brought to and its id.
    """

    address: str
    kind: Kind
    decimals: int | None = None
    description: str = ""
    inputs: tuple[Source, ...] = ()
    emitter: str = ""
    note: str = ""
    is_constant: bool = False
    """Whether its code can give no other answer; a `fixed` price without that may be set anew."""

    def feeds(self) -> Iterator[Source]:
        """The leaves that give rounds, in the order in which they are found."""
        return (each for each in self.everything() if each.kind in FEEDS)

    @property
    def basis(self) -> Basis:
        """What its price rests on: feeds where there are any, else the weakest of its inputs."""
        if any(True for _ in self.feeds()):
            return "feeds"
        leaves = [each for each in self.everything() if not each.inputs]
        if all(leaf.is_constant for leaf in leaves):
            return "constant"
        return "set" if all(leaf.is_constant or leaf.kind == "fixed" for leaf in leaves) else "nothing"

    def everything(self) -> Iterator[Source]:
        """The source and all its inputs."""
        yield self
        for each in self.inputs:
            yield from each.everything()

    def unresolved(self) -> Iterator[Source]:
        """Its parts of unknown kind."""
        return (each for each in self.everything() if each.kind == "unresolved")


def pulled(name: str) -> Source:
    """The feed of a signed price that is brought: `name` is the oracle and the price's id there."""
    oracle, _, identity = name.partition("/")
    return Source(name, "pulled", note=f"price {identity}, brought to {oracle}")


def tree(source: Source, indent: int = 0) -> str:
    """The source and its inputs, one line each, for people."""
    name = f" {source.description!r}" if source.description else ""
    note = f" ({source.note})" if source.note else ""
    line = f"{'  ' * indent}{source.kind} {source.address}{name}{note}"
    return "\n".join([line, *(tree(each, indent + 1) for each in source.inputs)])
