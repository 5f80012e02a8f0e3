"""What of a clearinghouse's upkeep is due: calls that anyone may make and nobody is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keeper.chain.calldata import calldata, encoded
from keeper.margin.portfolio.clearinghouse.settlement import WINDOW, observed
from keeper.model.chore import Chore
from keeper.model.format import format_amount
from keeper.model.plan import Check
from keeper.protocols.clearinghouse import rounds
from keeper.protocols.clearinghouse.lens import ClearingExpiry, ClearingHouseState
from keeper.protocols.clearinghouse.planning import CALL, CALL_GAS, ERRORS, number
from keeper.protocols.clearinghouse.records import ClearingAccount
from keeper.protocols.clearinghouse.valuing import ClearingMoment

OBSERVE = "observe(uint8,uint40)"
SETTLE_EXPIRY = "settle(uint8,uint40)"
SETTLE_LEGS = "settle(uint256)"
OBSERVED_EVERY = 120
"""Seconds between observations: some more than enough, at a gap far below what stops a settlement."""
OBSERVATION_GAS, SETTLEMENT_GAS, LEGS_GAS = 200_000, 300_000, 400_000


def due(house: str, moment: ClearingMoment, accounts: Mapping[str, ClearingAccount]) -> Iterator[Chore]:
    """All that is due in the moment's block or a later one. Whoever is below maintenance and not called, or
    no longer, is called."""
    state, now = moment.state, moment.timestamp
    for account in moment.below(accounts):
        raw = accounts[account]
        if not raw.called_at or now >= raw.called_at + state.terms.lapse:
            yield _call(house, moment, account, raw)
    for expiry in state.expiries:
        yield from _expiry(state, expiry, now)
    yield from rounds.due_pages(state, accounts, _unwanted(moment, accounts))
    settled = {number for number, each in state.instruments.items() if each.settled}
    for account, raw in accounts.items():
        if any(leg.instrument in settled for leg in raw.state.legs):
            yield _legs(house, account, raw)


def _unwanted(moment: ClearingMoment, accounts: Mapping[str, ClearingAccount]) -> Mapping[str, int]:
    """Insolvent accounts whose call is so old that a position is closed against the other side, with the
    instrument that has lost most. An option that has expired is left to be settled."""
    state, now, found = moment.state, moment.timestamp, dict[str, int]()
    for account, raw in accounts.items():
        if not raw.called_at or not raw.called_at + state.patience <= now < raw.called_at + state.terms.lapse:
            continue
        if not moment.is_priced(raw) or moment.maintenance.value(raw.state).equity >= 0:
            continue
        losses = {each: won for each, won in moment.profits(raw).items() if moment.lasts(each)}
        if losses:
            found[account] = min(losses, key=lambda each: losses[each])
    return found


def _call(house: str, moment: ClearingMoment, account: str, raw: ClearingAccount) -> Chore:
    found = moment.maintenance.value(raw.state)
    who = number(account)
    called = calldata("calledAt(uint256)", who)
    why = f"account {who} is worth {format_amount(found.worst, 18)} in scenario {found.scenario}"
    done = Check(house.lower(), called, 0, moment.timestamp)
    return Chore(
        "margin call", house.lower(), encoded(CALL, who, found.scenario), CALL_GAS, why, done, ERRORS
    )


def _expiry(state: ClearingHouseState, expiry: ClearingExpiry, now: int) -> Iterator[Chore]:
    options, average = state.parts.options, expiry.average
    arguments = (expiry.underlying, expiry.time)
    index = state.underlyings[expiry.underlying].index
    if index is None:
        return
    if now >= expiry.time and observed(average, expiry.time, index, now).suffices():
        settled = calldata("settlement(uint8,uint40)", *arguments)
        why = f"expiry {expiry.time} of underlying {expiry.underlying} is over"
        done = Check(options, settled, 0, 1)
        yield Chore(
            "settle expiry", options, encoded(SETTLE_EXPIRY, *arguments), SETTLEMENT_GAS, why, done, ERRORS
        )
        return
    start = expiry.time - WINDOW
    if now <= start or average.last == expiry.time:
        return
    if now - (average.last or start) >= OBSERVED_EVERY or now >= expiry.time:
        view = calldata("expiry(uint8,uint40)", *arguments)
        why = f"expiry {expiry.time} of underlying {expiry.underlying} is averaged"
        done = Check(options, view, 2, average.count + 1)
        yield Chore("observe", options, encoded(OBSERVE, *arguments), OBSERVATION_GAS, why, done, ERRORS)


def _legs(house: str, account: str, raw: ClearingAccount) -> Chore:
    who = number(account)
    view = calldata("pastOf(uint256)", who)
    why = f"options of account {who} are settled and not yet cash"
    done = Check(house.lower(), view, 0, 1)
    return Chore("settle options", house.lower(), encoded(SETTLE_LEGS, who), LEGS_GAS, why, done, ERRORS)
