"""A table of the events that change an account; reading logs by it is the same in every protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keeper.book.source import ChangedAccounts
from keeper.chain.calldata import ZERO_ADDRESS
from keeper.chain.calldata import topic as topic
from keeper.chain.logs import Log

UPGRADED = topic("Upgraded(address)")


def account_at(log: Log, place: int, key_bytes: int = 20) -> str:
    return "0x" + log.topics[place][-2 * key_bytes :]


@dataclass(frozen=True, slots=True)
class EventTable:
    """Events of one protocol. `places`: where the accounts stand among an event's topics. `of_all` are events
    after which any account may have changed. A proxy's upgrade is always included. Accounts' keys are the
    last `key_bytes` of a topic: an address, or a number."""

    places: Mapping[str, tuple[int, ...]]
    of_all: frozenset[str] = frozenset()
    key_bytes: int = 20

    @property
    def topics(self) -> tuple[str, ...]:
        return (*self.places, *sorted(self.of_all), UPGRADED)

    def touched(self, logs: Iterable[Log]) -> ChangedAccounts:
        accounts: set[str] = set()
        upgraded = everyone = False
        for log in logs:
            event = log.topics[0]
            upgraded = upgraded or event == UPGRADED
            everyone = everyone or event in self.of_all
            places = self.places.get(event, ())
            accounts.update(account_at(log, place, self.key_bytes) for place in places)
        accounts.discard(ZERO_ADDRESS)
        return ChangedAccounts(frozenset(accounts), upgraded, everyone)
