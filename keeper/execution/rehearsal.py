"""Rehearsal: the whole sequence of calls at the latest state, before anything is signed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import structlog
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from keeper.chain.answers import (
    BusyError,
    CannotError,
    NodeError,
    RefusedError,
    RpcError,
    WrongStateError,
    plain,
)
from keeper.chain.blocks import Head
from keeper.chain.calldata import calldata
from keeper.chain.erc20 import allowance, approve, approved
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.contracts import ABIS
from keeper.execution import as_signer, unseen_gas
from keeper.model.plan import NATIVE, Plan

log = structlog.get_logger()

_ERROR_STRING = "0x08c379a0"
_PANIC = "0x4e487b71"
# Room above the gas a rehearsal used: refunds hide part of it, and state moves until inclusion.
MARGIN_PERCENT = 150
# And at least this much: what comes before it in the block may turn a cheap write into a dear one (an
# allowance that the rehearsal overwrote and the block has cleared).
MARGIN_GAS = 60_000
MOST_REASON = 300


@dataclass(frozen=True, slots=True)
class Action:
    """A transaction to be built: `purpose` is approve, act, clear, cancel or fill. `sender` is its sender
    where it is not ours (an oracle update that is not in a block yet)."""

    purpose: str
    target: str
    data: str
    sender: str = ""
    value: int = 0
    """Wei sent with it."""

    def call(self, sender: str) -> dict[str, str]:
        """The action as a JSON-RPC call; `sender` is our address."""
        plain = {"from": self.sender or sender, "to": self.target, "data": self.data}
        return {**plain, "value": hex(self.value)} if self.value else plain


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The actions that worked with the gas limit and the used gas of each, or why they did not work.

    `complete` is False where only the allowance could be rehearsed (no node simulates or accepts state
    overrides): the action itself is rehearsed again once the allowance is on chain.
    """

    actions: tuple[Action, ...] = ()
    gas: tuple[int, ...] = ()
    problem: str = ""
    complete: bool = True
    used: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problem


def rehearse(pool: NodePool, sender: str, plan: Plan, ahead: Sequence[Action], timestamp: int) -> Rehearsal:
    """Run allowance, action and postcondition behind the actions already signed in this round.

    An allowance that cannot be changed directly (tokens that want zero first) is first set to zero.
    """
    try:
        return rehearse_whole(pool, sender, plan, ahead, timestamp)
    except CannotError as error:
        if any(each.sender for each in ahead):
            raise
        log.warning("rehearsed step by step", chain=pool.name, why=error.what)
    return _stepwise(pool, sender, plan)


def rehearse_whole(
    pool: NodePool, sender: str, plan: Plan, ahead: Sequence[Action], timestamp: int
) -> Rehearsal:
    """As `rehearse`, always with the postcondition; CannotError where no node can do so."""
    if plan.is_over(timestamp):
        return Rehearsal(problem="the prices that it brings are too old for the next block")
    act = Action("act", plan.target, plan.data, value=plan.value)
    if not plan.spend.spender:
        return _sequence(pool, sender, plan, ahead, (act,), timestamp)
    reset, allow = _allowances(plan)
    direct = _sequence(pool, sender, plan, ahead, (allow, act), timestamp)
    if direct.ok or not direct.problem.startswith("approve"):
        return direct
    return _sequence(pool, sender, plan, ahead, (reset, allow, act), timestamp)


def _allowances(plan: Plan) -> tuple[Action, Action]:
    """Actions that set the spender's allowance to zero, and to what the plan spends."""
    token, spender = plan.spend.token, plan.spend.spender
    amounts = (0, plan.spend.amount)
    reset, allow = (Action("approve", token, approve(spender, amount)) for amount in amounts)
    return reset, allow


def _sequence(
    pool: NodePool,
    sender: str,
    plan: Plan,
    ahead: Sequence[Action],
    actions: tuple[Action, ...],
    timestamp: int,
) -> Rehearsal:
    calls = [each.call(sender) for each in (*ahead, *actions)]
    check, brought = plan.postcondition, _arriving(plan, sender)
    if brought is not None:
        calls = [*calls[:-1], brought, calls[-1], brought]
    if check is not None:
        calls.append({"from": sender, "to": check.target, "data": check.data})
    results = in_sequence(pool, sender, calls, timestamp)[len(ahead) :]
    came = _difference(results.pop(len(actions) - 1), results.pop(len(actions))) if brought else None
    used, unseen = [], unseen_of(pool, sender, timestamp)
    for action, result in zip(actions, results, strict=False):
        if int(result["status"], 16) != 1:
            return Rehearsal(problem=f"{action.purpose} reverts: {reason(result, plan.errors)}")
        if action.purpose == "approve" and not approved(result.get("returnData", "0x")):
            return Rehearsal(problem="approve returned false")
        used.append(unseen.whole(int(result["gasUsed"], 16), action.data))
    if came is not None and plan.trade is not None and (shortage := plan.trade.shortage(came)):
        return Rehearsal(problem=shortage)
    if check is not None:
        answer = results[-1].get("returnData", "0x")[2:]
        word = answer[64 * check.word : 64 * (check.word + 1)]
        reached = int(word, 16) if len(word) == 64 else -1
        if failure := check.failure(reached):
            return Rehearsal(problem=failure)
    return Rehearsal(actions, tuple(map(with_margin, used)), used=tuple(used))


def _arriving(plan: Plan, sender: str) -> dict[str, str] | None:
    """Reads of our balance of the token that a liquidation with our own money brings in."""
    trade = plan.trade
    if (
        plan.batch_item is not None
        or trade is None
        or not trade.gets_units
        or trade.gets in (NATIVE, trade.pays)
    ):
        return None
    return {"from": sender, "to": trade.gets, "data": calldata("balanceOf(address)", sender)}


def _difference(before: dict[str, Any], after: dict[str, Any]) -> int | None:
    """The increase between two answers of one word; None where either is none."""
    words = [str(each.get("returnData", "0x")).removeprefix("0x") for each in (before, after)]
    return int(words[1], 16) - int(words[0], 16) if all(len(word) == 64 for word in words) else None


def _stepwise(pool: NodePool, sender: str, plan: Plan) -> Rehearsal:
    """Rehearse one transaction at a time: the allowance while it is short, then the action."""
    act = Action("act", plan.target, plan.data, value=plan.value)
    reset, allow = _allowances(plan)
    wanted = (act,) if _granted(pool, sender, plan) else (allow, reset)
    problem = ""
    for action in wanted:
        try:
            used = int(pool.call("eth_estimateGas", action.call(sender)), 16)
        except RpcError as error:
            result = {"error": {"message": error.message, "data": error.data}}
            problem = f"{action.purpose} reverts: {reason(result, plan.errors)}"
            continue
        return Rehearsal((action,), (with_margin(used),), complete=action is act, used=(used,))
    return Rehearsal(problem=problem)


def _granted(pool: NodePool, sender: str, plan: Plan) -> bool:
    """Whether the action has the allowance it needs; one that pulls nothing from the sender needs none."""
    if not plan.spend.spender:
        return True
    data = allowance(sender, plan.spend.spender)
    answer = str(pool.call("eth_call", {"to": plan.spend.token, "data": data}, "latest"))
    # What answers nothing is no token: it has granted nothing.
    return int(answer.removeprefix("0x") or "0", 16) >= plan.spend.amount


def unseen_of(pool: NodePool, sender: str, timestamp: int) -> unseen_gas.Unseen:
    """The gas that this chain uses beyond what rehearsals show."""
    nothing = [{"from": sender, "to": sender, "data": "0x"}]
    return unseen_gas.of(
        pool, sender, lambda: int(in_sequence(pool, sender, nothing, timestamp)[0]["gasUsed"], 16)
    )


def with_margin(gas: int) -> int:
    """The gas limit for a transaction that used this much in rehearsal; unused gas costs nothing."""
    return gas + max(gas * (MARGIN_PERCENT - 100) // 100, MARGIN_GAS)


def without_margin(gas_limit: int) -> int:
    """The gas that a transaction with this limit used in rehearsal."""
    return max(
        -(-gas_limit * 100 // MARGIN_PERCENT) if gas_limit >= 3 * MARGIN_GAS else gas_limit - MARGIN_GAS, 0
    )


def in_sequence(
    pool: NodePool, sender: str, calls: list[dict[str, str]], timestamp: int
) -> list[dict[str, Any]]:
    """Run the calls one after another at the latest state: by `eth_simulateV1`, else in one `eth_call` as the
    signer, whose results have no logs. CannotError where no node can do either."""
    try:
        return simulate(pool, calls, timestamp)
    except (NodeError, RefusedError) as error:
        # Busy with this and not with the other: providers count a simulation as many requests.
        log.debug("no simulation", chain=pool.name, why=str(error))
    return as_signer.run(pool, sender, calls, timestamp)


def means(pool: NodePool, sender: str, timestamp: int) -> Literal["simulation", "as signer", "step by step"]:
    """How plans are rehearsed with what this chain's nodes offer; NodeError where none answers."""
    nothing = [{"from": sender, "to": sender, "data": "0x"}]
    try:
        simulate(pool, nothing, timestamp)
    except (NodeError, RefusedError):
        pass
    else:
        return "simulation"
    try:
        as_signer.run(pool, sender, nothing, timestamp)
    except CannotError:
        return "step by step"
    return "as signer"


def simulate(pool: NodePool, calls: list[dict[str, str]], timestamp: int) -> list[dict[str, Any]]:
    """Simulate the calls one after another on top of the latest block, as if in a block at `timestamp`.

    Where the chain is already past that time, the node chooses the next block's own. CannotError where no
    node offers `eth_simulateV1`.
    """
    block: dict[str, Any] = {"blockOverrides": {"time": hex(timestamp)}, "calls": calls}

    def ask(node: Node) -> list[dict[str, Any]]:
        answer = node.call("eth_simulateV1", [{"blockStateCalls": [block], "validation": False}, "latest"])
        results = answer[0].get("calls") if answer else None
        if not isinstance(results, list) or len(results) != len(calls) or not all(map(_is_outcome, results)):
            raise BusyError("answered a simulation with what is none", where=node.label)
        if pool.worked_at is not None and _base(answer[0], pool.worked_at) < pool.worked_at.number:
            raise WrongStateError("simulated on a block before the newest", where=node.label)
        return results

    found: list[dict[str, Any]]
    try:
        found = pool.call_by(ask)
    except RefusedError:
        block.pop("blockOverrides")
        found = pool.call_by(ask)
    return found


def _base(block: dict[str, Any], head: Head) -> int:
    """The number of the block that a simulated one builds on; the head's where the node does not say. Anvil
    gives the simulated block that number itself, and no parent."""
    number, parent = block.get("number"), block.get("parentHash")
    if not isinstance(number, str) or not number.startswith("0x"):
        return head.number
    has_parent = isinstance(parent, str) and parent.strip("0x") != ""
    return int(number, 16) - has_parent


def _is_outcome(result: object) -> bool:
    return isinstance(result, dict) and {"status", "gasUsed"} <= result.keys()


def reason(result: dict[str, Any], table: str) -> str:
    """The meaning of a revert, by the protocol's error names where the table knows them; of a stranger's text
    the beginning, without what must not be printed or stored."""
    return plain(_reason(result, table), MOST_REASON)


def _reason(result: dict[str, Any], table: str) -> str:
    error = result.get("error") or {}
    data = error.get("data") or result.get("returnData") or "0x"
    names = _names(table) if table else {}
    if data.startswith(_ERROR_STRING):
        try:
            text = str(decode(["string"], bytes.fromhex(data[10:]))[0])
        except DecodingError:
            text = data
        return f"{names[text]} ({text})" if text in names else text
    if data.startswith(_PANIC):
        return f"panic {int(data[10:], 16):#x}"
    if len(data) >= 10:
        name = names.get(data[:10], data[:10])
        return f"{name} 0x{data[34:74]}" if name in _OF_A_TOKEN and len(data) == 74 else name
    return str(error.get("message") or "no reason given")


# Our contract's errors that name the token at fault.
_OF_A_TOKEN = ("TokenCallFailed", "Loss")


@cache
def _names(table: str) -> dict[str, str]:
    """The names of a table, or of several joined by `+`."""
    names: dict[str, str] = {}
    for each in table.split("+"):
        names |= {key: name for key, name in _table(each).items() if isinstance(name, str)}
    return names


def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((ABIS / f"{name}.json").read_text())
    return table


@cache
def _needless(table: str) -> frozenset[str]:
    return frozenset(name for each in table.split("+") for name in _table(each).get("needless", ()))


def is_needless(problem: str, table: str) -> bool:
    """Whether a plan's problem, by its table of errors, means that somebody else did it or that it is no
    longer needed: no failure, and no reason for an alert."""
    return bool(table) and any(name in problem for name in _needless(table))
