"""From settings to the acting loop: limits, allow-list, relay, lease."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import structlog
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.alerts import execution_alerts as alerts
from keeper.chain import blocks
from keeper.chain.answers import CannotError
from keeper.chain.calls import Answer, Call, Lens, run
from keeper.chain.pool import NodePool
from keeper.chain.relay import Relay
from keeper.chain.signer import Signing
from keeper.config import LOCAL_CHAIN_IDS, Settings
from keeper.execution import batch_encoding
from keeper.execution.lease import KeyLease
from keeper.execution.limits import Allow, Limits
from keeper.execution.loop import ExecutionLoop
from keeper.protocols.registry import PROTOCOLS
from keeper.service.planning.gas_ceilings import GWEI, GasCeilings, GasLevel, gas_ceilings, gas_level
from keeper.store.database import Store

log = structlog.get_logger()

WORD = 32
# Local chains finalize late and never reorganise by themselves.
LOCAL_CONFIRMATIONS = 1


def actor_of(
    settings: Settings, pool: NodePool, store: Store, payer: str, signer: Signing | None
) -> ExecutionLoop:
    """The acting loop of one chain, as configured."""
    wanted = settings.chains[pool.name].relay
    beside = allowed_beside(settings, pool)
    return ExecutionLoop(
        pool,
        store,
        limits_of(settings, pool.name, beside),
        payer,
        signer,
        alerts,
        Relay(wanted.url, wanted.kind, wanted.fallback_blocks) if wanted else None,
        settings.service.pause_file,
        KeyLease(store, f"{pool.name}:{payer}", float(settings.service.lease_seconds)),
        partial(_fitted, settings, pool, beside),
    )


def _fitted(settings: Settings, pool: NodePool, beside: Allow) -> Limits:
    """The limits that fit what the chain's gas costs; they are logged, as nobody may have chosen them."""
    found = gas_ceilings(settings.of_chain(pool.name), gas_level(pool))
    log.info("ceilings", chain=pool.name, what=found.words)
    return limits_of(settings, pool.name, beside, found)


def limits_of(
    settings: Settings, chain: str, beside: Allow | None = None, found: GasCeilings | None = None
) -> Limits:
    """The limits of execution on one chain. `beside` are contracts that only the chain names, `found` the gas
    ceilings that fit it; without them the limits are those of a calm chain."""
    execution = settings.execution
    gas = found or gas_ceilings(settings.of_chain(chain), GasLevel(GWEI))
    local = settings.chains[chain].chain_id in LOCAL_CHAIN_IDS
    return Limits(
        max_gas_price=gas.price,
        plan_blocks=execution.plan_blocks,
        confirmations=execution.confirmations or (LOCAL_CONFIRMATIONS if local else None),
        settle_blocks=execution.settle_blocks,
        replace_blocks=execution.replace_blocks,
        cancel_blocks=execution.cancel_blocks,
        max_in_flight=execution.max_in_flight,
        max_spend_per_transaction=execution.max_spend_per_transaction,
        max_spend_per_day=execution.max_spend_per_day,
        max_gas_per_day=gas.day,
        allow={**allowed(settings, chain), **(beside or {})},
    )


def allowed(settings: Settings, chain: str) -> Allow:
    """What may be called: the operator's list, or what the configured markets and contracts need."""
    if settings.execution.allow is not None:
        return {
            each.target.lower(): frozenset(s.lower() for s in each.selectors) or None
            for each in settings.execution.allow
        }
    found: dict[str, frozenset[str] | None] = {}
    for market in settings.markets.values():
        if market.chain != chain:
            continue
        found[market.address.lower()] = _selectors(PROTOCOLS[market.protocol].adapter.called)
        for ours, signatures in market.own.own_calls.items():
            found[ours.lower()] = _selectors(signatures)
    liquidator = settings.chains[chain].liquidator
    if liquidator is not None:
        found[liquidator.lower()] = _selectors((batch_encoding.SIGNATURE,))
    return found


def allowed_beside(settings: Settings, pool: NodePool) -> Allow:
    """Contracts to be called besides those that the configuration names: those that a market's contract names
    on chain; none where the operator lists what may be called."""
    found: dict[str, frozenset[str] | None] = {}
    if settings.execution.allow is not None:
        return found
    adapters = [
        PROTOCOLS[market.protocol].adapter.of(name, market)
        for name, market in settings.markets.items()
        if market.chain == pool.name and PROTOCOLS[market.protocol].adapter.called_beside
    ]
    asked = [
        (Call(each.contract, function_signature_to_4byte_selector(view)), signatures)
        for each in adapters
        for view, signatures in each.called_beside.items()
    ]
    lenses = [lens for each in adapters for lens in each.lenses() if lens.in_place]
    answers = _told(pool, [call for call, _ in asked], lenses)
    for (_, signatures), answer in zip(asked, answers, strict=True):
        if answer.ok and len(answer.data) == WORD and any(answer.data):
            found["0x" + answer.data[12:].hex()] = _selectors(signatures)
    return found


def _told(pool: NodePool, calls: Sequence[Call], lenses: Sequence[Lens]) -> list[Answer]:
    """The answers of contracts about their neighbours. What none of their views reports, a lens over them
    reads from their storage, where a node accepts one."""
    if not calls:
        return []
    head = blocks.latest(pool)
    answers = run(pool, head, calls)
    silent = [place for place, answer in enumerate(answers) if not answer.ok]
    if not silent or not lenses:
        return answers
    try:
        again = run(pool, head, [calls[place] for place in silent], lenses)
    except CannotError as error:
        log.warning("not on the allow-list", chain=pool.name, what="what only a lens tells", why=error.what)
        return answers
    for place, answer in zip(silent, again, strict=True):
        answers[place] = answer
    return answers


def _selectors(signatures: tuple[str, ...]) -> frozenset[str]:
    return frozenset("0x" + function_signature_to_4byte_selector(each).hex() for each in signatures)
