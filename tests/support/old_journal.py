"""What the version before the glossary's names kept: a row or more of every table, in its own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from keeper.store.tables.states import IntentState, TransactionState

NOW = datetime.now(UTC).replace(microsecond=0)
TODAY = NOW.date().isoformat()
SENDER = "0x" + "a1" * 20
# As that version wrote it: what the first leg costs more was called otherwise.
PLAN = (
    '{"market": "elsewhere", "account": "0x01", "kind": "liquidate", "action": "liquidate", '
    '"target": "0x02", "data": "0x", '
    '"spend": {"token": "0x03", "spender": "", "amount": 0, "burned": false}, '
    '"spend_base": 0, '
    '"gain_base": 7, "gas": 100, "summary": {"of": "\\"first_gas\\": 1"}, "postcondition": null, '
    '"errors": "", "redeem": "", "sized_by_contract": false, "trade": null, '
    '"leg": {"contract": "0x04", "target": "0x02", '
    '"calls": ["0x05"], "pays": "0x03", "allowance": 1, "gets": "0x06", "expected": 3, "min_got": 2, '
    '"loan": {"kind": "callback", "lender": "0x02", "fee": 0}, "route": "0x", "sale": "0x", '
    '"profit_token": "0x03", '
    '"profit": 9, "min_profit": 4, "gas": 90, "first_gas": 17, "fee": 0, "cover": ""}, "value": 0, '
    '"gas_budget": null, "gain_wei": null, "loss": 5, "kept": 0}'
)


def journal_of_old() -> dict[str, list[dict[str, Any]]]:
    """A row or more of every table; intents and transactions in every state, on a chain of their own."""
    episode = {
        "market": "elsewhere",
        "threshold": "liquidate",
        "opened_block": 5,
        "opened_health": "9" * 18,
        "lowest_health": "8" * 18,
        "closed_block": None,
        "closed_health": None,
        "asset": "",
        "looked_at": None,
    }
    intent = {
        "chain": "elsewhere",
        "market": "elsewhere",
        "kind": "liquidate",
        "mode": "live",
        "episode_id": 101,
        "plan": PLAN,
        "summary": "{}",
        "health": "9" * 18,
        "spend": "1",
        "gain": "2",
        "planned_block": 2**33,
        "planned_timestamp": 1_700_000_000,
        "ended_block": None,
        "unsent": "",
        "loss": "5",
        "created_at": NOW,
    }
    transaction = {
        "chain": "elsewhere",
        "sender": SENDER,
        "purpose": "act",
        "target": "0x02",
        "data": "0x",
        "value": "0",
        "raw": "0x",
        "gas_limit": 2**33,
        "max_fee": str(2**200),
        "tip": None,
        "signed_block": 9,
        "first_block": 9,
        "replaces_id": None,
        "channel": "public",
        "relayed_block": None,
        "block": None,
        "block_hash": None,
        "succeeded": None,
        "gas_used": None,
        "gas_price": None,
        "data_fee": None,
        "created_at": NOW,
    }
    return {
        "episode": [
            {
                **episode,
                "id": 101,
                "account": "0x01",
                "held": "the pool is paused",
                "opens_at": 1_800_000_000,
            },
            {**episode, "id": 102, "account": "0x02", "held": "", "opens_at": None, "closed_block": 7},
        ],
        "intent": [
            {**intent, "id": 100 + n, "account": f"0x{n}", "attempt": n, "state": state, "reason": why}
            | ({"unsent": "watched only"} if state == "refused" else {})
            for n, (state, why) in enumerate(
                [(each.value, "a reason") for each in IntentState] + [("expired", "watched only")], 1
            )
        ],
        "chain_transaction": [
            {**transaction, "id": 100 + n, "nonce": n, "hash": f"0x{n:064x}", "state": state.value}
            for n, state in enumerate(TransactionState, 1)
        ],
        "carriage": [{"intent_id": 102, "transaction_id": 102, "step": 1}],
        "booking": [
            {
                "transaction_id": 104,
                "block_hash": "0xaa",
                "timestamp": 1_700_000_012,
                "market": "elsewhere",
                "moved": "[]",
                "unpriced": "DUST",
                "value": "-7",
                "gas_wei": str(2**90),
                "gas": "3",
            }
        ],
        "transition": [
            {
                "id": 100,
                "intent_id": 101,
                "transaction_id": None,
                "before": "",
                "after": "planned",
                "reason": "",
                "block": 9,
                "block_hash": None,
                "fee": None,
                "at": NOW,
            }
        ],
        "standing_allowance": [
            {"chain": "elsewhere", "owner": SENDER, "token": "0x03", "spender": "0x02", "since_block": 9}
        ],
        "signer_nonce": [
            {
                "chain": "elsewhere",
                "sender": SENDER,
                "counted": 3,
                "foreign": 1,
                "foreign_nonce": 2,
                "foreign_block": 8,
            }
        ],
        "lease": [
            {
                "name": "elsewhere:key",
                "holder": "machine-a",
                "token": "t",
                "renewed_at": NOW,
                "expires_at": NOW,
            }
        ],
        "pause": [{"id": 100, "who": "me", "why": "lunch", "at": NOW, "resumed_at": NOW, "resumed_by": "me"}],
        "checkpoint": [
            {"market": "elsewhere", "block": 9, "block_hash": "0xbb", "addresses": "[]", "recent": "[]"}
        ],
        "known_account": [{"market": "elsewhere", "account": "0x01", "record": b"\x01\x02"}],
        "market_status": [
            {
                "market": "elsewhere",
                "chain": "elsewhere",
                "block": 9,
                "block_hash": "0xbb",
                "revision": 1,
                "block_timestamp": 1_700_000_000,
                "version": "3",
                "acting": False,
                "reason": "it differs",
                "accounts": 2,
                "breaches": 1,
                "unvaluable": 0,
                "updated_at": NOW,
            }
        ],
        "chain_status": [
            {
                "chain": "elsewhere",
                "mode": "live",
                "block": 9,
                "block_timestamp": 1_700_000_000,
                "acted_block": 9,
                "reachable": True,
                "reason": "",
                "requests": 2**33,
                "native": str(10**19),
                "gas_hours": 30,
                "stands_back": "paused by me",
                "updated_at": NOW,
            }
        ],
        "price_status": [
            {
                "market": "elsewhere",
                "asset": "0x03",
                "symbol": "WETH",
                "source": "0x",
                "kind": "aggregator",
                "block": 9,
                "decimals": 8,
                "price": "250000000000",
                "second": "250100000000",
                "age": 60,
                "state": "",
                "memory": "",
            }
        ],
        "price_fault": [
            {
                "id": 100,
                "market": "elsewhere",
                "asset": "0x03",
                "symbol": "WETH",
                "kind": "stale",
                "detail": "old",
                "opened_block": 8,
                "closed_block": None,
            }
        ],
        "alert": [
            _alert(100, f"misnamed:elsewhere:protect[0]:x:{TODAY}", "misnamed", {"where": "protect[0]"}),
            _alert(101, "notice:elsewhere:last_trove:8", "market_notice", {"notice": "last_trove"}),
            _alert(102, "notice:elsewhere:stale_feed:7", "market_notice", {"notice": "stale_feed"}),
            _alert(103, "notice:elsewhere:stale_feed:8:over", "market_notice_over", {"notice": "stale_feed"}),
            _alert(104, f"chain:elsewhere:stands_back:{TODAY}", "stands_back", {"why": "another acts"}),
            _alert(105, "chain:elsewhere:0xcc:not_booked:no price", "not_booked", {"why": "no price"}),
            _alert(106, "episode:101", "below_liquidate", {"health": "0.9"}, posted=True),
            _alert(107, "episode:102", "below_liquidate", {"health": "0.8"}, posted=True),
        ],
        "alert_delivery": [
            {
                "alert_id": number,
                "channel": "alerts[0]",
                "tries": 1,
                "failure": "" if done else "HTTP 500",
                "since": NOW,
                "delivered_at": NOW if done else None,
                "given_up_at": None,
            }
            for number, done in ((106, True), (107, False))
        ],
    }


def _alert(
    number: int, once: str, kind: str, fields: Mapping[str, str], *, posted: bool = False
) -> dict[str, Any]:
    shown = {"kind": kind, "severity": "warning", "market": "elsewhere", **fields}
    return {
        "id": number,
        "once": once,
        "kind": kind,
        "severity": "warning",
        "market": "elsewhere",
        "account": "",
        "title": f"title {number}",
        "body": "\n".join(f"{name}: {value}" for name, value in shown.items()),
        "fields": json.dumps(fields),
        "created_at": NOW - timedelta(minutes=5),
        "posted_at": NOW if posted else None,
    }
