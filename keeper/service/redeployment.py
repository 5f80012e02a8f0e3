"""What must move when a contract of ours replaces an older one: entries of the allow-list, which the command
moves itself, and what only owners can do, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.config import Settings


@dataclass(frozen=True, slots=True)
class Moves:
    """What to move. `allowed`: entries of the configuration's allow-list that name the old contract, with the
    new address; `steps`: what remains for people, in order."""

    allowed: Sequence[tuple[Sequence[str | int], str]] = ()
    steps: Sequence[str] = ()


def moves(settings: Settings, chain: str, name: str, market: str | None, new: str, payer: str) -> Moves:
    """What a new contract takes over from the configured one of its name: a market's, or the Liquidator."""
    if name == "liquidator" or market is None:
        old = settings.chains[chain].liquidator
    else:
        old = settings.markets[market].own.ours(name)
    if old is None or old.lower() == new.lower():
        return Moves()
    places = [
        (("execution", "allow", number, "target"), new)
        for number, each in enumerate(settings.execution.allow or ())
        if each.target.lower() == old.lower()
    ]
    if name == "owner-top-up":
        steps = _of_owners(settings, market, old, new, payer)
    elif name == "grant":
        steps = _of_accounts(settings, market, old, new, payer)
    elif name == "price-carrier":
        # Nobody owns it, and it holds nothing.
        steps = (f"restart the keeper: it calls {new} from then on",)
    else:
        steps = _of_operators(old, new, payer)
    return Moves(tuple(places), (*steps, "keeper doctor says whether all of it is done"))


def _of_operators(old: str, new: str, payer: str) -> Sequence[str]:
    return (
        f"restart the keeper: it calls {new} from then on; what is under way at {old} ends there",
        f"whoever else may call {old} is allowed by the owner: setOperator(address, true) on {new}",
        f"when nothing is under way at {old}, its owner forbids it: setOperator({payer}, false)",
        f"what lies in {old} by accident, its owner takes out: rescue(token, to, amount)",
    )


def _of_accounts(settings: Settings, market: str | None, old: str, new: str, payer: str) -> Sequence[str]:
    found = []
    for account in [e.account for e in settings.protect if e.market == market]:
        found += [
            f"the owner of {account} gives {new} the rights that {old} has, and takes them from {old}",
            f"and calls setOperator(account, {payer}, true), setLimit and setShare on {new}, as on {old}",
        ]
    return (*found, f"restart the keeper: it calls {new} from then on")


def _of_owners(settings: Settings, market: str | None, old: str, new: str, payer: str) -> Sequence[str]:
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
