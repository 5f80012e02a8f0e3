"""What a protocol's folder exports: its name in the configuration, its marks, its adapter."""

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
    """How `keeper init` reads and describes a market, where that differs from most markets."""

    created: str = ""
    """The event (topic) of what only events reveal, read before the first read of the market."""
    told_by: Callable[[Any], str] | None = None
    """The contract that emits it, from a market's state; by default the market's own."""
    by_address: bool = False
    """Whether assets are listed by address in the file: their symbols are not unique."""
    oracle: Callable[[Any], str] = lambda state: ""
    """The one contract that all prices come from, from a market's state; empty where there is none."""
    table: Callable[[Sequence[tuple[str, str]], int], str] = lambda assets, most: ""
    """The protocol's own table in the file, from assets (address, symbol), limited to so many."""


class Checks(Protocol):
    """Checks of a market's contract beyond those of every market."""

    def __call__(
        self, reads: ContractReads, market: str, contract: str, *, watches_sequencer: bool
    ) -> Iterator[Finding]: ...


@dataclass(frozen=True, slots=True)
class Spec:
    """One protocol. `title` is the name for people of a market's own contract; `market` what `init` calls
    one.

    A contract that answers all `marks` is a market of it; one beside it leads to it by a function of `leads`.
    `grant` names our contract, made for a market's address and its `grant_parts`, that holds the rights
    account owners give.
    """

    name: str
    title: str
    market: str
    marks: tuple[str, ...]
    adapter: type[Adapter[Any, Any]]
    leads: tuple[str, ...] = ()
    settings: type[ProtocolSettings] = ProtocolSettings
    grant: str = ""
    grant_parts: Callable[[Any], tuple[str, ...]] | None = None
    """Contracts beside the market's own that it must know, from a market's state; None: it needs none."""
    setup: SetupHints = SetupHints()
    checks: Checks | None = None
    """Further checks by `keeper doctor` of a market's contract."""
