"""The differences between our valuations and the contract's views, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from keeper.model.valuation import Valuation


def compare(own: Sequence[Valuation], views: Mapping[str, Valuation], reverted: Iterable[str] = ()) -> str:
    """The first difference between our numbers and the contract's, with both; empty when all agree.
    `reverted` are accounts that we can value and the contract cannot."""
    return next(iter(differences(own, views, reverted).values()), "")


def differences(
    own: Sequence[Valuation], views: Mapping[str, Valuation], reverted: Iterable[str] = ()
) -> dict[str, str]:
    """All differences, by account, in words."""
    found = {account: f"the contract's own view of {account} reverts" for account in sorted(reverted)}
    ours = {valuation.account: valuation for valuation in own}
    for account, theirs in views.items():
        mine = ours.get(account)
        if mine != theirs:
            numbers = f"{_show(mine)} against {_show(theirs)}"
            found[account] = f"our numbers differ from the contract's for {account}: {numbers}"
    return found


def _show(valuation: Valuation | None) -> str:
    if valuation is None:
        return "none"
    numbers = {
        "equity": valuation.equity,
        "maintenance": valuation.maintenance,
        "net": valuation.net,
        "initial": valuation.initial,
        "health": valuation.health,
        **valuation.parts,
    }
    told = [f"{name} {number}" for name, number in numbers.items() if number is not None]
    return ", ".join([*told, "liquidatable" if valuation.liquidatable else "not liquidatable"])
