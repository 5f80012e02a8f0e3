"""What the day came to, from the chain's own events and the outside check, not from the keeper's word."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_utils.abi import event_signature_to_log_topic
from sqlmodel import select

from keeper.demo import books, wrongs
from keeper.demo.stage import DOLLARS, Stage
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, as_dict, as_int, as_list, as_str
from keeper.store.database import open_store
from keeper.store.tables.journal import Intent, Transaction, TransactionIntent

_LIQUIDATION = "LiquidationCall(address,address,address,uint256,uint256,address,bool)"
_TOPIC = "0x" + event_signature_to_log_topic(_LIQUIDATION).hex()
_CHECKER = Path(__file__).with_name("check_record.py")
WAD = 10**18
# No reserve of the day gives more on top of what is repaid, and no liquidation takes less gas.
LARGEST_BONUS_PERCENT = 10
LIQUIDATION_GAS = 300_000
NO_TRUTH: Mapping[int, Mapping[str, int]] = MappingProxyType({})


@dataclass
class Line:
    """One account's day. Health scaled 1e18 as the contract said it; gain in base units."""

    account: str
    label: str
    before: int | None
    lowest: int | None
    after: int | None
    collateral: int
    debt: int
    done: list[str] = field(default_factory=list)
    transactions: list[str] = field(default_factory=list)
    gain: int = 0

    @property
    def was_liquidatable(self) -> bool:
        return self.lowest is not None and self.lowest < WAD

    @property
    def cured(self) -> bool:
        """Healthy again, or emptied: no collateral or no debt left."""
        return self.after is None or self.after >= WAD or self.collateral == 0


@dataclass
class DayOutcome:
    """The whole day. Amounts in base units (8 decimals): `earned` is what liquidations seized less what they
    repaid, at the oracle's prices, `booked` what they really brought, by the keeper's books."""

    lines: list[Line]
    liquidations: int
    top_ups: int
    bad_debt: int
    earned: int
    booked: int
    gas_cost: int
    compared: int
    blocks: int
    faults: list[str]

    @property
    def profit(self) -> int:
        return self.booked - self.gas_cost


def _gas_of_one(stage: Stage, last: int) -> int:
    """What the gas of a liquidation cost at least on this day, base units at the last prices: the least that
    any of the keeper's transactions paid, by the chain's receipts."""
    store = open_store(f"sqlite:///{stage.folder / 'keeper.db'}")
    with store.session() as session:
        paid = [each.gas_price for each in session.exec(select(Transaction)).all() if each.gas_price]
    store.close()
    ether = _price(stage, stage.market.reserves["WETH"].asset, last)
    return LIQUIDATION_GAS * min(paid, default=0) * ether // WAD


def outcome(stage: Stage, last: int, truth: Mapping[int, Mapping[str, int]] = NO_TRUTH) -> DayOutcome:
    """Read the chain and the check; `faults` names everything that should not have happened. With the true
    prices by block (a hostile day) so does every action that only a lie could justify."""
    check, faults = _check(stage, last)
    labels = {m.address.lower(): m.label for m in stage.people.members}
    labels[stage.people.lender.lower()] = "lender"
    lines = {a: _line(a, labels.get(a, "treasury"), data) for a, data in check["accounts"].items()}
    liquidations, earned = _liquidations(stage, last, lines, faults)
    faults += wrongs.wrong_actions(stage, last, truth) if truth else []
    top_ups, gas_cost = _journal(stage, lines)
    booked = books.booked(stage, last, faults)
    # On the plain day gas is cheap, and nobody is excused.
    gas = _gas_of_one(stage, last) if stage.world is not None else 0
    for line in lines.values():
        too_dear = line.collateral * LARGEST_BONUS_PERCENT < 100 * gas
        if line.was_liquidatable and not line.cured and not too_dear:
            faults.append(f"{line.account} ({line.label}) is still liquidatable, health {line.after}")
    return DayOutcome(
        lines=sorted(lines.values(), key=lambda each: (each.lowest is None, each.lowest or 0)),
        liquidations=liquidations,
        top_ups=top_ups,
        bad_debt=sum(line.debt for line in lines.values() if line.collateral == 0),
        earned=earned,
        booked=booked,
        gas_cost=gas_cost,
        compared=check["compared"],
        blocks=check["blocks"],
        faults=faults,
    )


def _check(stage: Stage, last: int) -> tuple[dict[str, Any], list[str]]:
    """Run the comparison in a process that cannot import keeper."""
    names = [m.address for m in stage.people.members]
    arguments = [stage.anvil.url, str(stage.record), str(stage.first_block), str(last), *names]
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-I", str(_CHECKER), *arguments], capture_output=True, text=True, check=False
    )
    if not done.stdout:
        empty: dict[str, Any] = {"accounts": {}, "compared": 0, "blocks": 0}
        return empty, [f"the outside check failed: {done.stderr[-500:]}"]
    check: dict[str, Any] = json.loads(done.stdout)
    if done.returncode == 0:
        return check, []
    return check, [f"{check['different']} numbers differ from the contract's", *check["problems"]]


def _line(account: str, label: str, data: dict[str, Any]) -> Line:
    def health(key: str) -> int | None:
        return None if data.get(key) is None else int(data[key])

    return Line(
        account,
        label,
        health("first"),
        health("lowest"),
        health("last"),
        int(data["collateral"]),
        int(data["debt"]),
    )


def _liquidations(stage: Stage, last: int, lines: dict[str, Line], faults: list[str]) -> tuple[int, int]:
    """Every liquidation of the day from the pool's events, valued at the oracle's prices in its block."""
    assets = {r.asset.lower(): r for r in stage.market.reserves.values()}
    protected = {a.lower() for a in stage.people.protected}
    count, earned = 0, 0
    query: dict[str, Json] = {
        "address": stage.market.pool,
        "topics": [_TOPIC],
        "fromBlock": hex(stage.first_block),
        "toBlock": hex(last),
    }
    for each in as_list(stage.anvil.rpc.call("eth_getLogs", query)):
        log = as_dict(each)
        topics = [as_str(t) for t in as_list(log["topics"])]
        collateral, debt, account = ("0x" + t[26:] for t in topics[1:])
        data = as_str(log["data"])[2:]
        repaid, seized = int(data[:64], 16), int(data[64:128], 16)
        block = as_int(log["blockNumber"])
        got, paid = assets[collateral], assets[debt]
        received = seized * _price(stage, collateral, block) // 10**got.decimals
        cost = repaid * _price(stage, debt, block) // 10**paid.decimals
        line = lines[account]
        line.done.append(f"liquidated: repaid {repaid / 10**paid.decimals:,.2f} {paid.symbol}")
        line.transactions.append(as_str(log["transactionHash"]))
        line.gain += received - cost
        count, earned = count + 1, earned + received - cost
        if account in protected:
            faults.append(f"the protected account {account} was liquidated in block {block}")
    return count, earned


def _price(stage: Stage, asset: str, block: int) -> int:
    data = calldata("getAssetPrice(address)", asset)
    return as_int(stage.anvil.rpc.call("eth_call", {"to": stage.market.oracle, "data": data}, hex(block)))


def _journal(stage: Stage, lines: dict[str, Line]) -> tuple[int, int]:
    """Top-ups from the journal, and what all the keeper's gas cost in base units."""
    store = open_store(f"sqlite:///{stage.folder / 'keeper.db'}")
    ether = stage.market.reserves["WETH"].asset
    top_ups, gas_cost = 0, 0
    with store.session() as session:
        for sent in session.exec(select(Transaction)).all():
            if sent.block is None:
                continue
            wei = (sent.gas_used or 0) * (sent.gas_price or 0)
            gas_cost += wei * _price(stage, ether, sent.block) // WAD
        rows = session.exec(
            select(Intent, Transaction)
            .join(TransactionIntent, TransactionIntent.intent_id == Intent.id)  # type: ignore[arg-type]
            .join(Transaction, Transaction.id == TransactionIntent.transaction_id)  # type: ignore[arg-type]
            .where(Intent.kind == "top_up", Transaction.purpose == "act")
        ).all()
        for intent, sent in rows:
            if not sent.succeeded:
                continue
            line = lines[intent.account]
            action, amount = next(iter(json.loads(intent.summary).items()))
            line.done.append(f"{'supplied' if action == 'add collateral' else 'repaid'} {amount}")
            line.transactions.append(sent.hash)
            line.gain -= DOLLARS.base_up(intent.spend)
            top_ups += 1
    store.close()
    return top_ups, gas_cost
