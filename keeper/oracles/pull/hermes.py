"""A client of Hermes' HTTP interface: signed updates of Pyth's prices, the newest or the first from a given
time on.

GET /v2/updates/price/latest and /v2/updates/price/{publish_time}, each with `ids[]`, answer {"binary":
{"encoding": "hex", "data": [...]}, "parsed": [{"id", "price": {"price", "conf", "expo", "publish_time"},
"metadata": {"prev_publish_time"}}]}. Its parsed figures are trusted only to leave an update out: whether it
is signed the oracle's contract decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from keeper.chain.http import (
    Poster,
    PostError,
    PostStatusError,
    PostTimeoutError,
    PostTooLongError,
    PostUnsentError,
)
from keeper.errors import KeeperError
from keeper.oracles.pull.accumulator import proven_prices
from keeper.oracles.pull.judging import SignedPrice

# Within which the whole answer must be there: a block's other markets wait for it.
SECONDS = 2.0
# Bytes: an update of a hundred prices takes some 40 KiB, and as much again in what it says in words.
MOST_ANSWER = 2**20
MOST_IDS = 100
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})+)")
_NUMBER = re.compile(r"-?[0-9]{1,20}")
_MOST_EXPONENT = 18
_FIRST_TIME, _LAST_TIME = 1, 2**63
_NOT_FOUND = 404


class PriceServiceError(KeeperError):
    """The service gave no update: it is down, slow, refuses, or answers with something else."""

    exit_code = 3


class NotServedError(PriceServiceError):
    """The service answers, but has no update of that time."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The result of one request: each price by its id, the signed updates that hold them all, and those that
    hold one alone, by its id."""

    prices: Mapping[bytes, SignedPrice]
    updates: tuple[bytes, ...]
    single: Mapping[bytes, bytes] = field(default_factory=dict)

    def of_one(self, identity: bytes) -> tuple[bytes, ...]:
        """The updates to bring for one price: its own where each price has one, in their order; else all."""
        if identity in self.single:
            return (self.single[identity],)
        if len(self.updates) != len(self.prices):
            return self.updates
        return (self.updates[list(self.prices).index(identity)],)


class HermesClient:
    """One service. `label` is what may be shown of its URL: credentials, path and query may hold a key."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.label = f"price service {parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._path, self._query = parts.path.rstrip("/"), parts.query
        self._poster = Poster(url, SECONDS, most=MOST_ANSWER)

    def latest(self, ids: Sequence[bytes]) -> Delivery:
        """The newest update known to the service for each id. PriceServiceError where it gives no answer."""
        return self._ask("latest", ids)

    def first_from(self, ids: Sequence[bytes], time: int) -> Delivery:
        """The first update published at `time` (Unix seconds) or later. NotServedError where none is yet."""
        return self._ask(str(time), ids)

    def _ask(self, which: str, ids: Sequence[bytes]) -> Delivery:
        # One id that it does not know is no reason to withhold the others.
        how = {"encoding": "hex", "parsed": "true", "ignore_invalid_price_ids": "true"}
        named = [*(("ids[]", "0x" + each.hex()) for each in ids), *how.items()]
        query = "&".join(filter(None, (self._query, urlencode(named))))
        try:
            body = self._poster.ask("GET", f"{self._path}/v2/updates/price/{which}?{query}")
        except PostStatusError as error:
            if error.status == _NOT_FOUND:
                raise NotServedError("has no such update", where=self.label) from None
            raise self._error(f"answered with HTTP {error.status}") from None
        except PostUnsentError:
            raise self._error("cannot be reached") from None
        except PostTimeoutError:
            raise self._error("did not answer in time") from None
        except PostTooLongError:
            raise self._error("answered at too great a length") from None
        except PostError:
            raise self._error("broke off its answer") from None
        try:
            found = _read(orjson.loads(body))
        except (ValueError, TypeError, KeyError, AttributeError):
            raise self._error("answered with what is no price update") from None
        if found.prices.keys() <= set(ids):
            return found
        raise self._error("answered with prices that nobody asked for")

    def _error(self, what: str) -> PriceServiceError:
        return PriceServiceError(what, where=self.label, remedy="Check the service, or name another")


def _read(answer: Any) -> Delivery:
    """Parse a service's answer; ValueError, TypeError, KeyError or AttributeError for anything else."""
    binary = answer["binary"]
    if binary["encoding"] != "hex":
        raise ValueError("another encoding")
    updates = tuple(_bytes(each) for each in binary["data"])
    prices = [_price(each) for each in answer["parsed"]]
    by_id = {each.id: each for each in prices}
    if bool(updates) != bool(prices) or len(by_id) != len(prices) or len(prices) > MOST_IDS:
        raise ValueError("no update, or prices twice")
    # What is signed is believed before what is said of it.
    proven = [each for update in updates for each in proven_prices(update) if each.price.id in by_id]
    by_id |= {each.price.id: each.price for each in proven}
    return Delivery(by_id, updates, {each.price.id: each.update for each in proven})


def _price(row: Any) -> SignedPrice:
    told, identity = row["price"], _bytes(row["id"])
    before = (row.get("metadata") or {}).get("prev_publish_time")
    exponent = told["expo"]
    if len(identity) != 32 or not isinstance(exponent, int) or abs(exponent) > _MOST_EXPONENT:
        raise ValueError("no price id, or no exponent")
    confidence = _number(told["conf"])
    if confidence < 0:
        raise ValueError("no interval")
    return SignedPrice(
        identity,
        _number(told["price"]),
        confidence,
        exponent,
        _time(told["publish_time"]),
        None if before is None else _time(before),
    )


def _bytes(text: Any) -> bytes:
    found = _HEX.fullmatch(text)
    if found is None:
        raise ValueError("no hex")
    return bytes.fromhex(found[1])


def _number(text: Any) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("no number")
    return int(text)


def _time(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not _FIRST_TIME <= value < _LAST_TIME:
        raise ValueError("no time")
    return value
