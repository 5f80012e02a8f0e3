"""Configured names that match nothing in a market: what depends on them would never happen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from keeper.alerts.outbox import alert
from keeper.chain.blocks import Head
from keeper.chain.node import NodeError, RpcError
from keeper.config import ChainSettings, table_of
from keeper.config.policy import Action
from keeper.model.account_key import account_key
from keeper.model.cure import action_words
from keeper.model.offer import Asset
from keeper.protocols.cures import named
from keeper.service.chain_context import ChainContext
from keeper.service.markets import Market
from keeper.store.types import now

log = structlog.get_logger()

MOST_NAMED = 20
"""Most names suggested for a wrong one: a market may have hundreds of loan tokens."""


@dataclass(frozen=True, slots=True)
class Misnamed:
    """A key of the configuration, what is wrong with it, and the names that would be right."""

    where: str
    what: str
    remedy: str


def misnamed(settings: ChainSettings, market: Market, head: Head) -> list[Misnamed]:
    """The unknown names configured for one market, which has been read at `head`."""
    found = list(_loan_tokens(market))
    if any(each.market == market.name and each.steps for each in settings.protect.values()):
        found += _steps(settings, market, head)
    return found


def _loan_tokens(market: Market) -> Iterator[Misnamed]:
    pricing = market.adapter.loan_pricing
    known = pricing.loan_tokens(market.book.state) if pricing is not None else {}
    names = {name.lower() for token, symbol in known.items() for name in (token, symbol)}
    some = ", ".join(sorted(set(known.values()))[:MOST_NAMED])
    for key, given in market.settings.own.loan_token_names().items():
        for name in given:
            if name.lower() not in names:
                yield Misnamed(
                    f"markets.{market.name}.{table_of(market.settings.protocol)}.{key}.{name}",
                    "is no loan token here: its price counts for nothing",
                    f"Name one of {some}, or a loan token's address",
                )


def _steps(settings: ChainSettings, market: Market, head: Head) -> Iterator[Misnamed]:
    """The steps that none of the account's positions takes."""
    purse = market.purse(head, market.adapter.contract)
    for i, protect in settings.protect.items():
        if protect.market != market.name:
            continue
        raws = {
            account: market.book.accounts[account] for account in market.of([account_key(protect.account)])
        }
        taken = market.adapter.planner.accepted_assets(market.book.state, raws, purse)
        for j, step in enumerate(protect.steps):
            same = [asset for action, asset in taken if action == step.action]
            if named(step, same) is None:
                yield Misnamed(
                    f"protect[{i}].steps[{j}]",
                    f"{step.action} {step.asset} is nothing that {market.name} takes of {protect.account}: "
                    "this step would never be done",
                    _right(step.action, same, taken),
                )


def _right(action: Action, same: list[Asset], taken: list[tuple[Action, Asset]]) -> str:
    if same:
        return f"To {action_words(action)} it takes {', '.join(sorted({asset.symbol for asset in same}))}"
    others = sorted({f"{action_words(action)} {asset.symbol}" for action, asset in taken})
    return f"It takes {', '.join(others)}" if others else "Nothing can be put into it now"


class UnknownNames:
    """Reports unknown names once, at the first block at which each market is read."""

    def __init__(self, chain: ChainContext) -> None:
        self._chain = chain
        self._looked: set[str] = set()

    def alert(self, market: Market, head: Head) -> None:
        """Alert about each unknown name; once per day where the daemon is started again and again."""
        if market.name in self._looked:
            return
        try:
            found = misnamed(self._chain.settings, market, head)
        except (NodeError, RpcError) as error:
            # It is asked again at the next block.
            log.warning("names not looked at", market=market.name, error=str(error))
            return
        self._looked.add(market.name)
        for each in found:
            log.warning("misnamed", market=market.name, where=each.where, what=each.what, remedy=each.remedy)
        if found:
            with self._chain.store.session() as session:
                day = now().date().isoformat()
                for each in found:
                    alert(
                        session,
                        dedup_key=f"unknown_name:{market.name}:{each.where}:{each.what}:{day}",
                        kind="unknown_name",
                        severity="warning",
                        market=market.name,
                        title=f"{each.where}: {each.what}",
                        fields={"where": each.where, "what": each.what, "remedy": each.remedy},
                    )
