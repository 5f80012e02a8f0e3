"""Signed updates from the configured service, judged before anything is done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from keeper.model.price_update import PriceUpdate
from keeper.oracles.pull.hermes import MOST_IDS, Delivery, HermesClient, NotServedError, PriceServiceError
from keeper.oracles.pull.judging import UpdateFault, judge, judge_benchmark
from keeper.oracles.pull.queries import BENCHMARK, LATEST, fulfilment

# Seconds before a block from which on its price is looked for, where the newest is later than the block.
_STEPS_BACK = (0, 1, 4)
# A service that fails is asked again after a second of block time, and ever later.
_LONGEST_PAUSE = 60
_MOST_REMEMBERED = 256
_UNKNOWN = UpdateFault("unknown", "is none that the price service knows")


@dataclass(frozen=True, slots=True)
class WantedPrice:
    """A price, by its publisher's id, at one oracle (lower case) that asks for it."""

    oracle: str
    id: bytes
    name: str = field(default="", compare=False)
    """Its name for people."""


@dataclass(frozen=True, slots=True)
class Supply:
    """What can be brought to a block, and by price id why the rest cannot."""

    updates: tuple[PriceUpdate, ...] = ()
    faults: Mapping[bytes, UpdateFault] = field(default_factory=dict)


class PriceService:
    """One service: its client, and its recent failures. Prices older than `max_age` seconds are not brought,
    nor those with a confidence interval wider than `max_confidence`, a share of the price."""

    def __init__(self, url: str, max_age: int, max_confidence: Decimal) -> None:
        self.client = HermesClient(url)
        self.max_age = max_age
        self.max_confidence = max_confidence
        self._failures = 0
        self._silent_until = 0
        self._trouble: PriceServiceError | None = None
        self._benchmarks: dict[tuple[tuple[bytes, ...], int], Delivery] = {}

    def supply(self, wanted: Iterable[WantedPrice], now: int) -> Supply:
        """The newest update of each price that a block at `now` can take, one update per price and oracle."""
        by_id: dict[bytes, list[WantedPrice]] = {}
        for each in wanted:
            by_id.setdefault(each.id, []).append(each)
        updates, faults = list[PriceUpdate](), dict[bytes, UpdateFault]()
        ids = list(by_id)
        for start in range(0, len(ids), MOST_IDS):
            some = ids[start : start + MOST_IDS]
            try:
                delivery = self._newest(some, now)
            except PriceServiceError as error:
                faults |= dict.fromkeys(some, UpdateFault("missing", str(error)))
                continue
            for identity in some:
                price, places = delivery.prices.get(identity), by_id[identity]
                if price is None:
                    faults[identity] = _UNKNOWN
                    continue
                fault = judge(price, now, self.max_age, self.max_confidence)
                if fault is not None:
                    faults[identity] = fault
                    continue
                # As fresh as can be: an oracle that has one within an age need not take another.
                data = fulfilment(LATEST, 0, [identity], delivery.of_one(identity))
                updates += [
                    PriceUpdate(each.oracle, data, frozenset({identity}), price.published) for each in places
                ]
        return Supply(tuple(updates), faults)

    def _newest(self, ids: Sequence[bytes], now: int) -> Delivery:
        """The newest updates of all ids, where they can be had not later than `now`."""
        return self._asked(lambda: self._not_later(ids, now), now)

    def _asked(self, ask: Callable[[], Delivery], now: int) -> Delivery:
        """Ask the service, unless it failed recently: then it is not asked for some blocks, and counts as
        failing whatever is wanted."""
        if self._trouble is not None and now < self._silent_until:
            raise self._trouble
        try:
            found = ask()
        except NotServedError:
            raise
        except PriceServiceError as error:
            self._trouble = error
            self._silent_until = now + min(2**self._failures, _LONGEST_PAUSE)
            self._failures += 1
            raise
        self._failures, self._trouble = 0, None
        return found

    def _not_later(self, ids: Sequence[bytes], now: int) -> Delivery:
        found = self.client.latest(ids)
        for step in _STEPS_BACK:
            if all(each.published <= now for each in found.prices.values()):
                break
            try:
                found = self.client.first_from(ids, now - step)
            except NotServedError:
                break
        return found

    def knows(self, ids: Sequence[bytes], at: int) -> bool:
        """Whether a benchmark is at hand, without a request."""
        return (tuple(ids), at) in self._benchmarks

    def benchmark(self, oracle: str, ids: Sequence[bytes], at: int, now: int) -> PriceUpdate:
        """The first prices published at `at` (Unix seconds) or later, to be brought to `oracle`, as
        OracleDataRequired with a benchmark query asks. Their confidence does not matter: the protocol takes
        no other. NotServedError where there is none yet; PriceServiceError where the service fails, failed
        shortly before the block at `now`, or gives what may not be brought."""
        key = (tuple(ids), at)
        found = self._benchmarks.get(key)
        if found is None:
            found = self._asked(lambda: self.client.first_from(ids, at), now)
        for identity in ids:
            price = found.prices.get(identity)
            fault = _UNKNOWN if price is None else judge_benchmark(price, at)
            if fault is not None:
                what = f"price 0x{identity.hex()} {fault.detail}"
                raise PriceServiceError(what, where=self.client.label, remedy="It is asked for again")
        if key not in self._benchmarks and len(self._benchmarks) >= _MOST_REMEMBERED:
            del self._benchmarks[next(iter(self._benchmarks))]
        # The first price from a time on stays what it is.
        self._benchmarks[key] = found
        published = min(found.prices[each].published for each in ids)
        data = fulfilment(BENCHMARK, at, ids, found.updates)
        return PriceUpdate(oracle.lower(), data, frozenset(ids), published)

    def forget(self, update: PriceUpdate) -> None:
        """Forget a benchmark that its oracle refused, so that it is requested anew."""
        kept = {}
        for (ids, at), found in self._benchmarks.items():
            if fulfilment(BENCHMARK, at, ids, found.updates) != update.data:
                kept[ids, at] = found
        self._benchmarks = kept
