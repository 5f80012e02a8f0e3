"""The newest update that a block can take, a service left alone while it fails, the first from a time on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from keeper.model.price_update import PriceUpdate
from keeper.oracles.pull.carrier import CarriedCall, carried, carried_call, fees
from keeper.oracles.pull.hermes import Delivery, NotServedError, PriceServiceError
from keeper.oracles.pull.judging import SignedPrice
from keeper.oracles.pull.queries import BENCHMARK, LATEST, fulfilment
from keeper.oracles.pull.service import PriceService, WantedPrice

pytestmark = pytest.mark.unit

ONE, OTHER, STRANGE = (bytes([each]) * 32 for each in (1, 2, 3))
ORACLE, SECOND = "0x" + "aa" * 20, "0x" + "bb" * 20
NOW = 1_750_000_000


class Publisher:
    """In place of a client: prices at certain seconds, each signed by its time."""

    label = "price service here"

    def __init__(self, *times: int) -> None:
        self.times = sorted(times)
        self.down = False
        self.asked: list[str] = []

    def latest(self, ids: list[bytes]) -> Delivery:
        return self._give("latest", ids, self.times)

    def first_from(self, ids: list[bytes], time: int) -> Delivery:
        return self._give(str(time - NOW), ids, [each for each in self.times if each >= time][:1])

    def _give(self, what: str, ids: list[bytes], times: list[int]) -> Delivery:
        self.asked.append(what)
        if self.down:
            raise PriceServiceError("cannot be reached", where=self.label)
        if not times:
            raise NotServedError("has no such update", where=self.label)
        at = times[-1]
        before = max((each for each in self.times if each < at), default=None)
        known = [each for each in ids if each != STRANGE]
        prices = {each: SignedPrice(each, 30_000, 30, -8, at, before) for each in known}
        return Delivery(prices, tuple(at.to_bytes(8, "big") + each for each in known))


def service(*times: int) -> tuple[PriceService, Publisher]:
    made, publisher = PriceService("http://here", 60, Decimal("0.01")), Publisher(*times)
    made.client = publisher  # type: ignore[assignment]
    return made, publisher


def signed(time: int, identity: bytes) -> bytes:
    return fulfilment(LATEST, 0, [identity], [time.to_bytes(8, "big") + identity])


def test_each_price_is_brought_to_each_oracle_that_wants_it_by_one_request() -> None:
    made, publisher = service(NOW - 7, NOW - 2)
    wanted = [WantedPrice(ORACLE, ONE), WantedPrice(ORACLE, OTHER), WantedPrice(SECOND, ONE)]
    found = made.supply(wanted, NOW)
    assert [(each.oracle, each.data) for each in found.updates] == [
        (ORACLE, signed(NOW - 2, ONE)),
        (SECOND, signed(NOW - 2, ONE)),
        (ORACLE, signed(NOW - 2, OTHER)),
    ]
    assert not found.faults and publisher.asked == ["latest"]
    assert made.supply([], NOW).updates == () and len(publisher.asked) == 1, "nobody is asked for nothing"


@pytest.mark.parametrize(
    ("times", "taken", "asked"),
    [
        ((NOW - 1, NOW, NOW + 3), NOW, ["latest", "0"]),
        ((NOW - 1, NOW + 1, NOW + 3), NOW - 1, ["latest", "0", "-1"]),
        ((NOW - 3, NOW + 3), NOW - 3, ["latest", "0", "-1", "-4"]),
    ],
)
def test_of_prices_beyond_the_block_the_last_one_before_it_is_looked_for(
    times: tuple[int, ...], taken: int, asked: list[str]
) -> None:
    made, publisher = service(*times)
    [update] = made.supply([WantedPrice(ORACLE, ONE)], NOW).updates
    assert (update.published, publisher.asked) == (taken, asked)


def test_a_price_that_the_service_does_not_know_holds_up_no_other() -> None:
    made, _ = service(NOW)
    found = made.supply([WantedPrice(ORACLE, STRANGE), WantedPrice(ORACLE, ONE)], NOW)
    assert [each.ids for each in found.updates] == [{ONE}]
    assert {each: fault.kind for each, fault in found.faults.items()} == {STRANGE: "unknown"}
    with pytest.raises(PriceServiceError, match="none that the price service knows"):
        made.benchmark(ORACLE, [STRANGE], NOW, NOW)


def test_where_all_are_beyond_the_block_none_is_brought() -> None:
    made, _ = service(NOW + 40)
    found = made.supply([WantedPrice(ORACLE, ONE)], NOW)
    assert found.updates == () and found.faults[ONE].kind == "too early"


def test_a_service_that_fails_is_asked_ever_less_often_and_counts_as_failing_meanwhile() -> None:
    made, publisher = service(NOW)
    publisher.down = True
    for second in range(40):
        found = made.supply([WantedPrice(ORACLE, ONE)], NOW + second)
        assert found.faults[ONE].kind == "missing" and "cannot be reached" in found.faults[ONE].detail
    assert len(publisher.asked) == 6, "after 1, 2, 4, 8 and 16 seconds"
    publisher.down, publisher.times = False, [NOW + 99]
    assert made.supply([WantedPrice(ORACLE, ONE)], NOW + 100).updates
    publisher.down = True
    made.supply([WantedPrice(ORACLE, ONE)], NOW + 101)
    publisher.down = False
    assert made.supply([WantedPrice(ORACLE, ONE)], NOW + 102).updates, "it begins anew"


def test_a_benchmark_is_asked_for_once_and_is_the_first_one_at_its_time() -> None:
    made, publisher = service(NOW - 5, NOW + 2, NOW + 4)
    for _ in range(2):
        found = made.benchmark(ORACLE.upper().replace("X", "x"), [ONE], NOW, NOW)
        assert found.oracle == ORACLE and found.published == NOW + 2
        assert found.data == fulfilment(BENCHMARK, NOW, [ONE], [(NOW + 2).to_bytes(8, "big") + ONE])
    assert publisher.asked == ["0"]
    with pytest.raises(NotServedError):
        made.benchmark(ORACLE, [ONE], NOW + 5, NOW)
    publisher.times.append(NOW + 6)
    assert made.benchmark(ORACLE, [ONE], NOW + 5, NOW).published == NOW + 6


def test_a_benchmark_that_is_not_the_first_one_is_refused_each_time() -> None:
    made, publisher = service(NOW - 5, NOW + 2, NOW + 4)
    publisher.first_from = lambda ids, time: publisher.latest(ids)  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(PriceServiceError, match="not the first one"):
            made.benchmark(ORACLE, [ONE], NOW, NOW)


def test_what_a_carrier_is_to_do_is_read_back() -> None:
    updates = [
        PriceUpdate(ORACLE, b"one", frozenset({ONE}), NOW, 3),
        PriceUpdate(SECOND, b"two", frozenset(), NOW, 4),
    ]
    data = "0x" + carried(updates, ORACLE, b"call", {SECOND: 5}).hex()
    assert fees(updates) == 7
    assert carried_call(data) == CarriedCall(ORACLE, "0x" + b"call".hex(), (ORACLE, SECOND))
    assert carried_call("0x12345678") is None and carried_call(data[:200]) is None


def test_a_service_that_fails_is_left_alone_by_benchmarks_too() -> None:
    """Each waits for its deadline, and strangers decide how many are asked for at a block."""
    made, publisher = service(NOW)
    publisher.down = True
    made.supply([WantedPrice(ORACLE, ONE)], NOW)
    for second in range(20):
        with pytest.raises(PriceServiceError):
            made.benchmark(ORACLE, [ONE], NOW - second, NOW)
    assert len(publisher.asked) <= 2, publisher.asked
