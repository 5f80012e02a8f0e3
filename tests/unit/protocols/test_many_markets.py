"""A singleton in which strangers make markets without end: what is followed is bounded, and that is all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from keeper.chain.calls import Answer, Call
from keeper.chain.logs import Log
from keeper.protocols.morpho_blue import lens, mirror, positions
from keeper.protocols.morpho_blue.market import MorphoBlueMarket
from keeper.protocols.morpho_blue.mirror import MOST_UNLISTED, Singleton
from keeper.protocols.registry import MARKET

pytestmark = pytest.mark.unit

SINGLETON = "0x" + "00" * 19 + "bb"
WHO = "0x" + "00" * 12 + "c3" * 20
BORROW = "Borrow(bytes32,address,address,address,uint256,uint256)"
FOLLOWED = positions.FACTORS // 2 - 1


def _id(number: int) -> str:
    return f"0x{number:064x}"


def _market(listed: Sequence[int] = ()) -> MorphoBlueMarket:
    ids = [_id(number) for number in listed]
    own = {"market_ids": ids, "untrusted_markets": "watch"}
    at = {"protocol": "morpho-blue", "chain": "c", "address": SINGLETON}
    settings = MARKET.model_validate({**at, "morpho_blue": own})
    return MorphoBlueMarket.of("m", settings)


def _logs(numbers: Sequence[int]) -> list[Log]:
    """Each market is made, and somebody borrows in it."""
    found = []
    for number in numbers:
        found.append(Log(SINGLETON, (mirror.CREATE_MARKET, _id(number)), "0x", 1))
        found.append(Log(SINGLETON, (mirror._BORROW, _id(number), WHO, WHO), "0x", 1))
    return found


def test_the_market_after_the_last_that_has_a_place_is_not_followed_and_nothing_else() -> None:
    market = _market()
    started = time.monotonic()
    touched = market.touched(_logs(range(1, 20_001)))
    assert len(touched.accounts) == FOLLOWED
    state = Singleton({})
    assert "later ones are not followed" in market.market_warnings(state)["unfollowed"]
    account = positions.key("0x" + WHO[26:], _id(FOLLOWED + 1))
    assert account not in touched.accounts
    record = bytes.fromhex(_id(FOLLOWED)[2:]) + bytes(31) + b"\x01"
    assert market.reference(record) == FOLLOWED
    calls = market.apart_calls(range(1, FOLLOWED + 1))
    asked = [each for call in calls for each in lens.ids_of(call)]
    assert len(asked) == MOST_UNLISTED and all(call.gas for call in calls)
    assert lens.ids_of(market.market_call(range(1, FOLLOWED + 1))) == [], "none of them is trusted"
    assert time.monotonic() - started < 10


def test_a_listed_market_has_its_place_before_all_strangers() -> None:
    market = _market([77_777])
    market.touched(_logs([*range(1, 20_001), 77_777]))
    assert lens.ids_of(market.market_call(())) == [_id(77_777)]


def _answered(found: Mapping[str, bool], call: Call, most: int) -> Answer:
    """A node's answer: the first `most` of the asked markets, none of which was ever created."""
    ids = lens.ids_of(call)[:most]
    return Answer(all(found.get(each, True) for each in ids), _states(ids))


def _states(ids: Sequence[str]) -> bytes:
    from eth_abi.abi import encode

    nobody = "0x" + "00" * 20
    rows = [
        (bytes.fromhex(each[2:]), (nobody,) * 4 + (0,), (0,) * 6, 0, False, 0, False, 0, False, 0, 0, b"")
        for each in ids
    ]
    return encode([f"{lens._STATE}[]"], [rows])


def test_what_a_call_left_out_for_want_of_gas_is_asked_for_next() -> None:
    market = _market()
    market.touched(_logs(range(1, 31)))
    left = list(market.apart_calls(range(1, 31)))
    seen: list[str] = []
    for _ in range(30):
        if not left:
            break
        call = left.pop(0)
        answer = _answered({}, call, 3)
        seen += lens.ids_of(call)[:3]
        left += market.rest_calls(call, answer)
    assert sorted(seen) == [_id(number) for number in range(1, 31)]


def test_what_fails_is_halved_down_to_the_one_that_fails_and_the_others_are_read() -> None:
    market = _market()
    market.touched(_logs(range(1, 9)))
    bad = _id(5)
    left = list(market.apart_calls(range(1, 9)))
    answers: list[tuple[Call, Answer]] = []
    while left:
        call = left.pop(0)
        answer = Answer(False, b"") if bad in lens.ids_of(call) else _answered({}, call, 14)
        answers.append((call, answer))
        left += market.rest_calls(call, answer)
    read = {each for call, answer in answers if answer.ok for each in lens.ids_of(call)}
    assert read == {_id(number) for number in range(1, 9)} - {bad}
    state = market.with_apart(Singleton({}), answers)
    assert bad in state.unread
    assert {asset.asset: asset.price for asset in market.priced_assets(state)}[bad] is None
    assert market.covers(state, [market._numbers.of(bad)])


def test_a_starved_call_is_asked_again_first() -> None:
    market = _market()
    market.touched(_logs(range(1, 4)))
    [call] = market.apart_calls(range(1, 4))
    assert list(market.rest_calls(call, Answer(False, b"", starved=True))) == [call]
