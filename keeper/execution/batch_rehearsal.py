"""Planned intents grouped into transactions, alone or several in one call of our contract, and rehearsed
together. An item that fails in rehearsal is taken out, and the others are combined anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from keeper.chain.pool import NodePool
from keeper.execution import batch_gas, batches
from keeper.execution.rehearsal import Action, Rehearsal, simulate, unseen_of
from keeper.model.plan import Plan
from keeper.store.tables.journal import Intent


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned intent with its plan. `alone`: it failed on chain lately and shares no transaction, as a plan
    that works only in rehearsals would make all others fail with it again."""

    intent: Intent
    plan: Plan
    alone: bool = False


@dataclass(frozen=True, slots=True)
class BatchRehearsal:
    """What works in one transaction, and the reason for each plan that does not (in that transaction's
    place).

    `fallback_reason` says why nothing can be done together; each plan is then tried alone. So are plans that
    are neither carried nor failed: they needed more gas than is left beside the others.
    """

    carried: tuple[Planned, ...] = ()
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
    failed: tuple[tuple[Planned, str], ...] = ()
    fallback_reason: str = ""


def groups(planned: Sequence[Planned], block_gas_limit: int) -> list[list[Planned]]:
    """Group the plans that may share a transaction, in their order."""
    by_plan = {each.plan.key: each for each in planned}
    split = batches.split([each.plan for each in planned if not each.alone], block_gas_limit)
    found = [[by_plan[plan.key] for plan in group] for group in split]
    found += [[each] for each in planned if each.alone]
    place = {each.plan.key: number for number, each in enumerate(planned)}
    return sorted(found, key=lambda group: place[group[0].plan.key])


def rehearse_together(
    pool: NodePool, sender: str, group: Sequence[Planned], ahead: Sequence[Action], timestamp: int
) -> BatchRehearsal:
    """Rehearse a group behind `ahead` until everything left of it works. CannotError where no node offers
    `eth_simulateV1`: only its logs show which items of a batch worked."""
    left, failed = list(group), list[tuple[Planned, str]]()
    while len(left) > 1:
        plans = [each.plan for each in left]
        if not batches.bears(plans):
            return BatchRehearsal(failed=tuple(failed), fallback_reason="none could bear another's failure")
        batch = batches.combine(plans)
        action = Action("act", batch.target, batch.data)
        calls = [each.call(sender) for each in (*ahead, action)]
        result = simulate(pool, calls, timestamp)[-1]
        if int(result["status"], 16) != 1:
            return BatchRehearsal(failed=tuple(failed), fallback_reason="the batch reverts")
        outcomes = batches.outcomes(plans, result.get("logs") or [])
        bad = [(each, o) for each, o in zip(left, outcomes, strict=True) if not o.done]
        if not bad:
            unseen = unseen_of(pool, sender, timestamp)
            used = unseen.whole(int(result["gasUsed"], 16), action.data)
            gas = batch_gas.limit(used)
            if gas > batch_gas.MOST_TRANSACTION_GAS and not unseen.other_units:
                return BatchRehearsal(failed=tuple(failed), fallback_reason="too large together")
            return BatchRehearsal(tuple(left), Rehearsal((action,), (gas,), used=(used,)), tuple(failed))
        failed += [(each, o.problem) for each, o in bad if not o.starved]
        gone = {each.plan.key for each, _ in bad}
        left = [each for each in left if each.plan.key not in gone]
    return BatchRehearsal(failed=tuple(failed), fallback_reason="one or none is left")
