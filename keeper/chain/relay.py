"""Private relays: transactions that go to block builders without being shown to everybody first."""

from __future__ import annotations

import json
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

from keeper.chain.answers import NodeError, RpcError, failure_of
from keeper.chain.http import Poster, PostError, PostStatusError, PostUnsentError

# Within which the whole answer must be there.
SECONDS = 10.0
# Bytes: an answer is a hash.
MOST_ANSWER = 2**20

Kind = Literal["private-transaction", "bundle"]


class Relay:
    """A private relay. Requests are signed with a throw-away identity, as Flashbots' interface requires: it
    only stands for a reputation, never for money. `label` is what may be shown of the URL."""

    def __init__(self, url: str, kind: Kind, fallback_blocks: int) -> None:
        parts = urlsplit(url)
        self.kind = kind
        self.fallback_blocks = fallback_blocks
        self.label = f"relay {parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._poster = Poster(url, SECONDS, most=MOST_ANSWER)
        self._identity = Account.create()

    def send(self, raw: str, head: int) -> None:
        """Hand over one transaction: until `fallback_blocks` from now, or, as a bundle, for the next block.

        NodeError when there is no answer (it may have been taken), RpcError when it is refused.
        """
        if self.kind == "bundle":
            self.call("eth_sendBundle", {"txs": [raw], "blockNumber": hex(head + 1)})
        else:
            last = hex(head + self.fallback_blocks)
            self.call("eth_sendPrivateTransaction", {"tx": raw, "maxBlockNumber": last})

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """Make one request; returns its result."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": [params]})
        try:
            answer = self._poster.post(body.encode(), {"X-Flashbots-Signature": self._proof(body)})
        except PostStatusError as error:
            raise NodeError(f"answered {method} with HTTP {error.status}", where=self.label) from None
        except PostError as error:
            reached = not isinstance(error, PostUnsentError)
            raise NodeError(f"gave no answer to {method}", where=self.label, reached=reached) from None
        try:
            found = orjson.loads(answer)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not ("result" in found or "error" in found):
            raise NodeError(f"answered {method} with no result", where=self.label)
        if found.get("error"):
            failure = failure_of(200, found["error"])
            raise RpcError(method, failure.code, failure.message, None, where=self.label)
        return found.get("result")

    def _proof(self, body: str) -> str:
        """The header that Flashbots' relays require: address and signature of the body's hash."""
        digest = "0x" + keccak(text=body).hex()
        signed = self._identity.sign_message(encode_defunct(text=digest))
        return f"{self._identity.address}:0x{bytes(signed.signature).hex()}"
