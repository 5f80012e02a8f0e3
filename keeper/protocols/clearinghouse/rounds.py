"""The next page of every deleveraging that is due: whoever won pays what the fund lacks.

Anybody may send each; see docs/CLEARINGHOUSE.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keeper.chain.calldata import calldata, encoded
from keeper.model.chore import Chore
from keeper.model.format import format_amount
from keeper.model.plan import Check
from keeper.protocols.clearinghouse.lens import ClearingHouseState, DeleveragingRound
from keeper.protocols.clearinghouse.planning import ERRORS, number
from keeper.protocols.clearinghouse.records import ClearingAccount

BEGIN = "begin(uint32,bool)"
BEGIN_CLOSING = "beginClosing(uint256,uint32)"
WEIGH = "weigh(uint32,uint256[],uint256[])"
CHARGE = "charge(uint32,uint256)"
MOST_WEIGHED, MOST_CHARGED = 24, 64
BEGINNING_GAS, PAGE_GAS, ENTRY_GAS = 1_500_000, 1_000_000, 500_000


def due_pages(
    state: ClearingHouseState, accounts: Mapping[str, ClearingAccount], unwanted: Mapping[str, int]
) -> Iterator[Chore]:
    """One page per instrument. `unwanted` names an instrument of each account that nobody has taken over."""
    going = {each.instrument for each in state.rounds}
    for each in state.rounds:
        yield from _page(state, each, accounts)
    for instrument, listed in state.instruments.items():
        if instrument in going:
            continue
        for is_long, lost in ((True, listed.lost_by_longs), (False, listed.lost_by_shorts)):
            if lost:
                why = f"instrument {instrument} lacks {format_amount(lost, 18)}"
                yield _chore(state, "begin deleveraging", BEGIN, BEGINNING_GAS, why, instrument, is_long)
                going.add(instrument)
                break
    for account, instrument in unwanted.items():
        if instrument not in going:
            why = f"nobody has taken account {number(account)} over"
            yield _chore(
                state, "close a position", BEGIN_CLOSING, BEGINNING_GAS, why, number(account), instrument
            )
            going.add(instrument)


def _page(
    state: ClearingHouseState, each: DeleveragingRound, accounts: Mapping[str, ClearingAccount]
) -> Iterator[Chore]:
    instrument = each.instrument
    if each.is_charging:
        why = f"whoever won in instrument {instrument} is charged"
        gas = PAGE_GAS + MOST_CHARGED * ENTRY_GAS // 4
        yield _chore(state, "deleverage", CHARGE, gas, why, instrument, MOST_CHARGED)
        return
    winners = [
        number(account)
        for account, raw in accounts.items()
        for leg in raw.state.legs
        if leg.instrument == instrument and (leg.size > 0) != each.is_long
    ]
    page = sorted(set(winners) - each.weighed)[:MOST_WEIGHED]
    if not page:
        return
    why = f"{len(page)} accounts that won in instrument {instrument} are weighed"
    gas = BEGINNING_GAS + PAGE_GAS + len(page) * ENTRY_GAS
    yield _chore(state, "weigh winners", WEIGH, gas, why, instrument, page, [0] * len(page))


def _chore(
    state: ClearingHouseState, name: str, signature: str, gas: int, why: str, *arguments: object
) -> Chore:
    target = state.parts.deleveraging
    # What it does shows in events; that it did not revert is all that one word could tell.
    done = Check(target, calldata("rounds()"), 0, 0)
    return Chore(name, target, encoded(signature, *arguments), gas, why, done, ERRORS)
