"""One market's pulled prices: which are wanted, what the service signed, and which the oracles accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keeper.chain.calls import Answer
from keeper.chain.head import Head, PreludeCall
from keeper.execution.rehearsal import reason
from keeper.model.price_update import PriceUpdate
from keeper.oracles.pull.carrier import ERRORS, NOTHING_FRESHER
from keeper.oracles.pull.judging import UpdateFault
from keeper.oracles.pull.service import PriceService, WantedPrice
from keeper.oracles.pull.trial import became, prelude

# Seconds of block time for which what went wrong counts as standing, so that what flickers is told once.
_STANDS = 30
_OF_SERVICE = "price_service"


class PulledPrices:
    """Brings the newest signed prices to every block: everything of the market is read behind them."""

    def __init__(self, service: PriceService) -> None:
        self.service = service
        self.troubles: Mapping[str, str] = {}
        """What is wrong at the present block, in words, by a name that stays while it lasts."""
        self.warnings: Mapping[str, str] = {}
        """The troubles worth a warning: also those of a moment ago, and of the service only what lasts."""
        self.updates: tuple[PriceUpdate, ...] = ()
        """The updates that the oracles accepted, with the fee that each asks for."""
        self.wanted: tuple[WantedPrice, ...] | None = None
        """The prices wanted last; None before the market was read."""
        self._offered: tuple[PriceUpdate, ...] = ()
        self._faults: dict[bytes, UpdateFault] = {}
        self._seen: dict[str, tuple[int, int, str]] = {}
        """By name of a trouble: when it was first and last seen, and its words."""

    def bring(self, wanted: Iterable[WantedPrice], head: Head) -> list[PreludeCall]:
        """The calls to make before anything is read at `head`; what was brought to other blocks is
        forgotten."""
        self.wanted = tuple(wanted)
        found = self.service.supply(self.wanted, head.timestamp)
        self._offered, self.updates, self._faults = found.updates, (), dict(found.faults)
        self._tell(head.timestamp)
        return prelude(self._offered)

    def learn(self, head: Head, answer: Answer) -> None:
        """Learn which updates the oracles accepted in the prelude of `head`."""
        taken = []
        for each in became(self._offered, head, answer):
            if each.reverted is None:
                taken.append(each.update)
            elif each.reverted[:4] != NOTHING_FRESHER:
                why = reason({"returnData": "0x" + each.reverted.hex()}, ERRORS)
                refused = UpdateFault("refused", f"is refused by the oracle {each.update.oracle}: {why}")
                self._faults |= dict.fromkeys(each.update.ids, refused)
        self.updates = tuple(taken)
        self._tell(head.timestamp)

    def _tell(self, now: int) -> None:
        self.troubles = self._words()
        for name, words in self.troubles.items():
            self._seen[name] = (self._seen.get(name, (now,))[0], now, words)
        self._seen = {name: each for name, each in self._seen.items() if now - each[1] <= _STANDS}
        self.warnings = {
            name: words
            for name, (first, last, words) in self._seen.items()
            # One request that was lost is nothing to tell of.
            if name != _OF_SERVICE or last > first
        }

    def _words(self) -> dict[str, str]:
        """A line for the service where that is the trouble, else one for each price."""
        found: dict[str, str] = {}
        for each in self.wanted or ():
            fault = self._faults.get(each.id)
            if fault is None:
                continue
            if fault.kind == "missing":
                found[_OF_SERVICE] = f"no price is brought: {fault.detail}"
                continue
            name = f"price_{fault.kind.replace(' ', '_')}_{each.id.hex()[:8]}"
            found[name] = f"the signed price of {each.name} {fault.detail}; it is not brought"
        return found
