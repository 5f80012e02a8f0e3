"""Protected owners over all markets: protected in one, perhaps liquidated in another, and their budgets."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.config import Settings
from keeper.model.account_key import account_key
from keeper.model.finding import Finding
from keeper.service.markets import Market


def together(settings: Settings, markets: list[Market]) -> Iterator[Finding]:
    """Check protected owners over the markets that were read."""
    entries: dict[str, list[int]] = {}
    for i, protect in enumerate(settings.protect):
        entries.setdefault(account_key(protect.account), []).append(i)
    for owner, indices in entries.items():
        yield from _elsewhere(settings, markets, owner, indices[0])
        yield from _budgets(settings, indices)


def _elsewhere(settings: Settings, markets: list[Market], owner: str, entry: int) -> Iterator[Finding]:
    protected = {each.market for each in settings.protect if account_key(each.account) == owner}
    ignored = {
        each.market for each in settings.policy.accounts if each.ignore and account_key(each.account) == owner
    }
    for market in markets:
        if market.name not in protected | ignored and market.of([owner]):
            account = settings.protect[entry].account
            yield Finding.warning(
                f"protect[{entry}]",
                f"{account} also has a position in {market.name}, where it is not protected: this keeper may "
                "liquidate it there",
                f'Add [[protect]] with market = "{market.name}", or [[policy.accounts]] with ignore = true',
            )


def _budgets(settings: Settings, indices: list[int]) -> Iterator[Finding]:
    caps = {settings.protect[i].max_spend_per_owner_day for i in indices}
    if len(caps) > 1:
        said = ", ".join(f"protect[{i}] {settings.protect[i].max_spend_per_owner_day}" for i in indices)
        yield Finding.warning(
            f"protect[{indices[0]}]",
            f"{settings.protect[indices[0]].account} has several max_spend_per_owner_day ({said}): each is "
            "held against what is spent for the owner in all markets, so that the lowest ends first",
            "Give all entries of an owner the same max_spend_per_owner_day",
        )
