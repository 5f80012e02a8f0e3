"""Whether a node also speaks websocket, and says new heads there."""

from __future__ import annotations

import json

import orjson
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

SECONDS = 3.0
ASK_HEADS = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]})


def offers_heads(url: str) -> bool:
    """Whether the same address, as ws:// or wss://, accepts a subscription to new heads.

    Many providers serve websocket at another address: False says nothing about those.
    """
    address = "ws" + url.removeprefix("http")
    try:
        with connect(address, open_timeout=SECONDS, close_timeout=SECONDS) as socket:
            socket.send(ASK_HEADS)
            answer = orjson.loads(socket.recv(timeout=SECONDS))
    except (OSError, TimeoutError, WebSocketException, ValueError):
        return False
    return isinstance(answer, dict) and "result" in answer
