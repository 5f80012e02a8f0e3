"""One JSON-RPC endpoint: its requests, the meaning of its answers, and what it was found unable to do."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from keeper.chain import diagnosis
from keeper.chain.answers import BusyError as BusyError
from keeper.chain.answers import CannotError as CannotError
from keeper.chain.answers import Failure, chains_answer, failure_of, is_busy, is_result
from keeper.chain.answers import NodeError as NodeError
from keeper.chain.answers import RefusedError as RefusedError
from keeper.chain.answers import RevertError as RevertError
from keeper.chain.answers import RpcError as RpcError
from keeper.chain.answers import WrongStateError as WrongStateError
from keeper.chain.http import (
    Poster,
    PostError,
    PostStatusError,
    PostTimeoutError,
    PostTooLongError,
    PostUnsentError,
)
from keeper.chain.stream import offers_heads

# A method that a node does not offer is asked for again after so many seconds, and ever later.
FORGET_SECONDS = 60.0
LONGEST_FORGET = 3600.0
# What is refused once is asked again after so many seconds each.
SURE_PAUSES = (0.0, 0.03)
# A method that a node was seen to serve is not offered any more after so many refusals in a row.
TAKEN_AWAY = 9


# Shorter parts of an address are words, no keys.
_SHORTEST_SECRET = 6


def _secrets(url: str) -> tuple[str, ...]:
    """The parts of a URL that may not be shown, the longest first: credentials, path and query."""
    parts = urlsplit(url)
    pieces = [parts.path, *parts.path.split("/"), parts.username or "", parts.password or "", parts.query]
    pieces += [value for pair in parts.query.split("&") for value in pair.split("=")]
    pieces += [unquote(each) for each in pieces]
    return tuple(sorted({each for each in pieces if len(each) >= _SHORTEST_SECRET}, key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class _Lack:
    """A method that a node does not offer: its words, and until when (monotonic) they are believed."""

    what: str
    seconds: float
    until: float


class Node:
    """An endpoint. `label` is what may be shown of its URL: host and port, no path, no credentials."""

    def __init__(self, url: str, timeout: Decimal) -> None:
        parts = urlsplit(url)
        self.label = f"node {parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self.requests = 0
        self.overrides = True
        """Whether it is assumed to accept state overrides in `eth_call`."""
        self.most_gas: int | None = None
        """The most gas that it accepts in an `eth_call`; None: as much as it was asked for so far."""
        self._codes: dict[str, str] = {}
        self._lacks: dict[str, _Lack] = {}
        self._served: set[str] = set()
        self._refused: Counter[str] = Counter()
        self._secrets = _secrets(url)
        self._url = url
        self._poster = Poster(url, float(timeout))
        self._numbers = count(1)

    def offers_websocket(self) -> bool:
        """Whether this address offers a subscription to new heads."""
        return offers_heads(self._url)

    def code(self, address: str) -> str:
        """A contract's code (0x hex), which never changes: requested until there is some, then remembered."""
        known = self._codes.get(address)
        if known is None:
            known = str(self.call("eth_getCode", [address, "latest"]))
            if len(known) > len("0x"):
                self._codes[address] = known
        return known

    def call(self, method: str, params: list[Any]) -> Any:
        """Make one request; returns its result. RpcError where an error is the chain's own answer, NodeError
        where there is no answer of the chain's: see `keeper.chain.answers`."""
        lacks = self._lacks.get(method)
        if lacks is not None and time.monotonic() < lacks.until:
            raise CannotError(lacks.what, where=self.label, about="method")
        # A passing trouble may look like it: only what is refused again and again cannot be done.
        for pause in (*SURE_PAUSES, None):
            try:
                found = self._call(method, self._fitted(method, params))
                self._serves(method)
                return found
            except CannotError as error:
                if error.about == "block":
                    raise
                if error.about == "method":
                    self._doubt(method, error)
                if pause is None:
                    if error.about == "method":
                        self._remember(method, error)
                    if error.about != "gas" or not self._learn_gas(method, params):
                        raise
                    break
            time.sleep(pause)
        return self._call(method, self._fitted(method, params))

    def _call(self, method: str, params: list[Any]) -> Any:
        answer = self._post(method, params)
        if not isinstance(answer, Failure):
            return answer
        known = chains_answer(method, answer, self.label)
        if known is not None:
            raise known
        if is_busy(answer):
            raise BusyError(f"did not answer {method} ({answer.words})", where=self.label)
        raise diagnosis.diagnose(method, params, answer, self.label, self._answers)

    def _answers(self, method: str, params: list[Any]) -> bool:
        """Whether it answers this with a result, or with a revert, which counts as one."""
        try:
            answer = self._post(method, params)
        except NodeError:
            return False
        if isinstance(answer, Failure):
            return isinstance(chains_answer(method, answer, self.label), RevertError)
        return answer is not None

    def _post(self, method: str, params: list[Any]) -> Any:
        """The result, or the Failure in its place. NodeError where neither arrived complete."""
        self.requests += 1
        asked = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        status = 200
        try:
            body = self._poster.post(orjson.dumps(asked))
        except PostStatusError as error:
            status, body = error.status, error.body
        except PostTimeoutError:
            raise BusyError(f"did not answer {method} in time", where=self.label, refused=True) from None
        except PostTooLongError:
            raise CannotError(
                f"answered {method} at too great a length", where=self.label, about="size"
            ) from None
        except PostUnsentError:
            raise BusyError(f"cannot be reached ({method})", where=self.label, reached=False) from None
        except PostError:
            raise BusyError(f"broke off its answer to {method}", where=self.label) from None
        return self._read(method, status, body)

    def _read(self, method: str, status: int, body: bytes) -> Any:
        try:
            # Not the standard library's: nesting without end would end this process where the limit of
            # recursion is high, as a library of ours sets it.
            answer = orjson.loads(body)
        except ValueError:
            if status < 300:
                raise BusyError(f"answered {method} with broken JSON", where=self.label) from None
            answer = None
        if isinstance(answer, dict):
            error = answer.get("error")
            if error or (error is not None and answer.get("result") is None):
                return self._redacted(failure_of(status, error))
        if status >= 300:
            return Failure(status, None, "", None)
        if not isinstance(answer, dict) or "result" not in answer:
            raise BusyError(f"answered {method} with what is no answer", where=self.label)
        if not is_result(method, answer["result"]):
            if answer["result"] is None:
                raise WrongStateError(f"answered {method} with null", where=self.label)
            raise BusyError(f"answered {method} with what is no result of it", where=self.label)
        return answer["result"]

    def _redacted(self, failure: Failure) -> Failure:
        """The failure without any part of the node's own URL that it repeats: keys stand there."""
        said = failure.message
        for secret in self._secrets:
            said = said.replace(secret, "…")
        return replace(failure, message=said)

    def _fitted(self, method: str, params: list[Any]) -> list[Any]:
        """The request with its gas limited to what the node is known to accept."""
        most = self.most_gas
        if method != "eth_call" or most is None or int(params[0].get("gas", "0x0"), 16) <= most:
            return params
        return [{**params[0], "gas": hex(most)}, *params[1:]]

    def _learn_gas(self, method: str, params: list[Any]) -> bool:
        asked = int(self._fitted(method, params)[0]["gas"], 16)
        found = diagnosis.granted_gas(asked, params, self._answers)
        if found is None:
            return False
        self.most_gas = found
        return True

    def _serves(self, method: str) -> None:
        self._served.add(method)
        self._refused.pop(method, None)
        self._lacks.pop(method, None)

    def _doubt(self, method: str, error: CannotError) -> None:
        """BusyError where a method was served before and seldom refused since: a passing trouble."""
        self._refused[method] += 1
        if method in self._served and self._refused[method] < TAKEN_AWAY:
            raise BusyError(error.what, where=self.label) from None

    def _remember(self, method: str, error: CannotError) -> None:
        before = self._lacks.get(method)
        seconds = FORGET_SECONDS if before is None else min(before.seconds * 2, LONGEST_FORGET)
        self._lacks[method] = _Lack(error.what, seconds, time.monotonic() + seconds)
