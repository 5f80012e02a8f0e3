"""What Hermes answers, read strictly; what goes wrong with it, in words that show no key."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from keeper.chain.http import (
    PostError,
    PostStatusError,
    PostTimeoutError,
    PostTooLongError,
    PostUnsentError,
)
from keeper.oracles.pull.hermes import HermesClient, NotServedError, PriceServiceError
from tests.unit.oracles.pull.test_accumulator import message, part, update

pytestmark = pytest.mark.unit

ONE, OTHER = b"\x01" * 32, b"\x02" * 32
URL = "https://keeper:hunter2@hermes.example:8443/tenant/f00dcafe?token=s3cret99"


class Answering:
    """In place of the connection: a body, or an error."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.paths: list[str] = []

    def ask(self, method: str, path: str) -> bytes:
        assert method == "GET"
        self.paths.append(path)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def client(answer: bytes | Exception) -> tuple[HermesClient, Answering]:
    made, answering = HermesClient(URL), Answering(answer)
    made._poster = answering  # type: ignore[assignment]
    return made, answering


def row(identity: bytes = ONE, **more: Any) -> dict[str, Any]:
    price = {"price": "3000000000000", "conf": "150000000", "expo": -8, "publish_time": 1_750_000_000}
    return {"id": identity.hex(), "price": price | more, "metadata": {"prev_publish_time": 1_749_999_999}}


def body(*rows: dict[str, Any], data: Any = ("cafe",), encoding: str = "hex") -> bytes:
    return json.dumps({"binary": {"encoding": encoding, "data": list(data)}, "parsed": list(rows)}).encode()


def test_a_price_is_read_and_asked_for_beside_what_the_url_says() -> None:
    made, asked = client(body(row(), row(OTHER), data=["0xcafe", "f00d"]))
    found = made.latest([OTHER, ONE])
    told = found.prices[ONE]
    assert (told.price, told.confidence, told.exponent) == (3_000_000_000_000, 150_000_000, -8)
    assert (told.published, told.before) == (1_750_000_000, 1_749_999_999)
    assert found.updates == (b"\xca\xfe", b"\xf0\x0d")
    assert found.of_one(ONE) == (b"\xca\xfe",) and found.of_one(OTHER) == (b"\xf0\x0d",)
    parts = urlsplit(asked.paths[0])
    assert parts.path == "/tenant/f00dcafe/v2/updates/price/latest"
    query = parse_qs(parts.query)
    assert query["ids[]"] == ["0x" + OTHER.hex(), "0x" + ONE.hex()]
    assert query["token"] == ["s3cret99"] and query["encoding"] == ["hex"]
    made.first_from([ONE, OTHER], 1_749_999_000)
    assert urlsplit(asked.paths[1]).path.endswith("/v2/updates/price/1749999000")


def test_one_update_of_all_prices_is_brought_for_each() -> None:
    made, _ = client(body(row(), row(OTHER), data=["cafe"]))
    assert made.latest([ONE, OTHER]).of_one(OTHER) == (b"\xca\xfe",)


def test_what_is_signed_counts_before_what_is_said_of_it_and_each_price_is_brought_alone() -> None:
    parts = [part(message(ONE, 5)), part(message(OTHER, 6))]
    made, _ = client(body(row(), row(OTHER), data=[update(*parts).hex()]))
    found = made.latest([ONE, OTHER])
    assert [found.prices[each].price for each in (ONE, OTHER)] == [5, 6]
    assert found.of_one(OTHER) == (update(parts[1]),) and found.updates == (update(*parts),)
    made, _ = client(body(row(), data=[update(*parts).hex()[:-2]]))
    with pytest.raises(PriceServiceError, match="what is no price update"):
        made.latest([ONE])


def test_prices_that_nobody_asked_for_are_no_answer() -> None:
    made, _ = client(body(row(), row(OTHER), data=["cafe"]))
    with pytest.raises(PriceServiceError, match="nobody asked for"):
        made.latest([ONE])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"binary": null, "parsed": []}',
        body(row(), encoding="base64"),
        body(row(), data=[]),
        body(row(), data=["zz"]),
        body(row(), data=["abc"]),
        body(row(), data=[7]),
        body(row(), row()),
        body(row(price=3_000)),
        body(row(price="1e9")),
        body(row(price="9" * 30)),
        body(row(conf="-1")),
        body(row(expo="-8")),
        body(row(expo=-80)),
        body(row(publish_time="1750000000")),
        body(row(publish_time=True)),
        body(row(publish_time=-5)),
        body(row(publish_time=2**70)),
        body(row(b"\x01" * 20)),
        body({"id": None, "price": {}}),
        body({"id": ONE.hex()}),
        b"[" * 100_000,
    ],
)
def test_what_is_no_update_is_said_to_be_none(answer: bytes) -> None:
    made, _ = client(answer)
    with pytest.raises(PriceServiceError, match="what is no price update"):
        made.latest([ONE])


def test_a_price_that_it_does_not_know_keeps_back_no_other() -> None:
    made, asked = client(body(row(OTHER)))
    assert set(made.latest([ONE, OTHER]).prices) == {OTHER}
    assert "ignore_invalid_price_ids=true" in asked.paths[0]
    made, _ = client(b'{"binary": {"encoding": "hex", "data": []}, "parsed": []}')
    assert made.latest([ONE]).prices == {}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PostUnsentError("x"), "cannot be reached"),
        (PostTimeoutError("x"), "did not answer in time"),
        (PostTooLongError("x"), "too great a length"),
        (PostError("x"), "broke off its answer"),
        (PostStatusError(503, b"hunter2"), "HTTP 503"),
    ],
)
def test_every_failure_is_in_words_without_a_key(error: Exception, words: str) -> None:
    made, _ = client(error)
    with pytest.raises(PriceServiceError, match=words) as caught:
        made.latest([ONE])
    for secret in ("hunter2", "f00dcafe", "s3cret99"):
        assert secret not in str(caught.value) and secret not in made.label
    assert "hermes.example:8443" in str(caught.value)


def test_an_update_that_is_not_there_yet_is_no_failure_of_the_service() -> None:
    made, _ = client(PostStatusError(404))
    with pytest.raises(NotServedError):
        made.first_from([ONE], 1)
