"""What must move where a contract of ours takes the place of an older one: entries of the allow-list, which
the command itself moves, and what only owners can do, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.config import Settings


@dataclass(frozen=True, slots=True)
class Moves:
    """`allowed`: places of the configuration's allow-list that name the old contract, with the new address;
    `steps`: what remains for people, in order."""

    allowed: Sequence[tuple[Sequence[str | int], str]] = ()
    steps: Sequence[str] = ()


def moves(settings: Settings, chain: str, market: str | None, new: str, payer: str) -> Moves:
    """What a new contract takes over from the configured one: a market's OwnerTopUp, or the Liquidator."""
    old = settings.chains[chain].liquidator if market is None else settings.markets[market].own.owner_contract
    if old is None or old.lower() == new.lower():
        return Moves()
    steps = (
        _of_owners(settings, market, old, new, payer)
        if market is not None
        else _of_operators(old, new, payer)
    )
    return Moves(_allowed(settings, old, new), (*steps, "keeper doctor says whether all of it is done"))


def carrier_moves(settings: Settings, market: str, new: str) -> Moves:
    """The same of a market's PriceCarrier, which nobody owns and which holds nothing."""
    old = settings.markets[market].own.carrier_contract
    if old is None or old.lower() == new.lower():
        return Moves()
    return Moves(
        _allowed(settings, old, new),
        (f"restart the keeper: it calls {new} from then on", "keeper doctor says whether all of it is done"),
    )


def _allowed(settings: Settings, old: str, new: str) -> tuple[tuple[Sequence[str | int], str], ...]:
    return tuple(
        (("execution", "allow", number, "target"), new)
        for number, each in enumerate(settings.execution.allow or ())
        if each.target.lower() == old.lower()
    )


def _of_operators(old: str, new: str, payer: str) -> Sequence[str]:
    return (
        f"restart the keeper: it calls {new} from then on; what is under way at {old} ends there",
        f"whoever else may call {old} is allowed by the owner: setOperator(address, true) on {new}",
        f"when nothing is under way at {old}, its owner forbids it: setOperator({payer}, false)",
        f"what lies in {old} by accident, its owner takes out: rescue(token, to, amount)",
    )


def _of_owners(settings: Settings, market: str, old: str, new: str, payer: str) -> Sequence[str]:
    owners = [e.account for e in settings.protect if e.market == market and e.paid_by == "owner"]
    found = []
    for owner in owners:
        found += [
            f"{owner} allows the keeper: setOperator({payer}, true) on {new}",
            f"{owner} sets the limits that it set on {old}: setLimit(token, units a day) on {new}",
            f"{owner} gives {new} the allowance of each such token: approve({new}, units)",
            f"{owner} takes back what {old} may spend: approve({old}, 0) on each token",
            f"{owner} forbids the keeper there: setOperator({payer}, false) on {old}",
        ]
    return (*found, f"restart the keeper: it calls {new} from then on")
