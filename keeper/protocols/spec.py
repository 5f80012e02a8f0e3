"""What a protocol's folder exports: under which name it is configured, how it is recognised, its adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keeper.chain.contract_reads import ContractReads
from keeper.config import ProtocolSettings
from keeper.model.finding import Finding
from keeper.protocols.adapter import Adapter


@dataclass(frozen=True, slots=True)
class SetupHints:
    """How `keeper init` looks at a market and writes of it, where that is another way than most markets'."""

    created: str = ""
    """The event (topic) of what only events tell of, to be heard before the first read."""
    told_by: Callable[[Any], str] | None = None
    """The contract that tells of it, of a market's state; the market's own where that is not said."""
    by_address: bool = False
    """Whether assets go by their addresses in the file: their symbols name several."""
    oracle: Callable[[Any], str] = lambda state: ""
    """The one contract that all prices come from, of a market's state; empty where there is none."""
    table: Callable[[Sequence[tuple[str, str]], int], str] = lambda assets, most: ""
    """What the file says in the protocol's own table, of assets (address, symbol), so many at most."""


class Checks(Protocol):
    """Looks at a market's contract beyond what every market is asked."""

    def __call__(
        self, reads: ContractReads, market: str, contract: str, *, watches_sequencer: bool
    ) -> Iterator[Finding]: ...


@dataclass(frozen=True, slots=True)
class Spec:
    """One protocol. `title` is what a market's own contract is, for people; `market` what `init` calls one.

    A contract that answers all `marks` is a market of it; one beside it leads to it by a function of `leads`.
    `grant` names our contract, made for a market's address and its `grant_parts`, that holds the rights
    account owners give."""

    name: str
    title: str
    market: str
    marks: tuple[str, ...]
    adapter: type[Adapter[Any, Any]]
    leads: tuple[str, ...] = ()
    settings: type[ProtocolSettings] = ProtocolSettings
    grant: str = ""
    grant_parts: Callable[[Any], tuple[str, ...]] | None = None
    """Contracts beside the market's own that it must know, of a market's state; None: it needs none."""
    setup: SetupHints = SetupHints()
    checks: Checks | None = None
    """What `keeper doctor` asks besides, of a market's contract."""
