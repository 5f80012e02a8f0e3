"""Protected accounts whose protocol requires rights: what their owners permit."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain import blocks
from keeper.chain.calls import answers_to
from keeper.config import Protect, Settings
from keeper.model.account_key import account_key
from keeper.model.finding import Finding
from keeper.model.grant import Grant
from keeper.protocols.registry import PROTOCOLS
from keeper.service import contract_versions
from keeper.service.markets import Market

_NEEDS_RIGHT = frozenset({"add_collateral", "reduce", "close"})


def grants(settings: Settings, market: Market, operator: str) -> Iterator[Finding]:
    """One line per protected account of this market whose cures need a right."""
    spec, contract = PROTOCOLS[market.settings.protocol], market.settings.own.ours("grant")
    if not spec.grant:
        return
    parts = spec.grant_parts(market.book.state) if spec.grant_parts else ()
    if (
        contract is not None
        and contract_versions.at(market.book.pool, spec.grant, contract, market.adapter.contract, *parts)
        is None
    ):
        yield Finding.fault(
            f"market {market.name}, grant",
            f"{contract} is no {spec.grant} contract of ours for {market.adapter.contract}",
            f"Make one: keeper contracts deploy grant --market {market.name} --live",
        )
        return
    head, planner, state = blocks.latest(market.book.pool), market.adapter.planner, market.book.state
    for i, protect in enumerate(settings.protect):
        # Of an account that the market does not know another line speaks.
        for account in market.of([account_key(protect.account)]) if protect.market == market.name else ():
            calls = planner.planning_calls(state, [account], operator)
            answers = answers_to(market.book.pool, head, calls, market.adapter.mirror.lenses())
            grant = planner.read_planning(state, [account], operator, answers).grants.get(account)
            if grant is not None:
                yield _told(f"protect[{i}], rights", market.name, protect, grant)


def _told(subject: str, market: str, protect: Protect, grant: Grant) -> Finding:
    steps: set[str] = {step.action for step in protect.steps}
    lacks = [f"cannot {each}" for each in _lacking(steps, grant)]
    via = f"through {grant.via}" if grant.via else "with the signer's own key"
    if not lacks:
        may = [name for name, has in (("add", grant.adds), ("reduce", bool(grant.reduces))) if has]
        done = " and ".join(may) or "repay"
        return Finding.ok(subject, f"{via} the keeper may {done} for {protect.account}")
    return Finding.warning(
        subject,
        f"for {protect.account} the keeper {' and '.join(lacks)}" + (f": {grant.why}" if grant.why else ""),
        f"Its owner gives the rights to the contract that keeper contracts deploy grant --market {market} "
        "makes, and calls setOperator, setLimit and setShare on it",
    )


def _lacking(steps: set[str], grant: Grant) -> list[str]:
    """The steps that are not permitted; without any steps, adding is what would be done."""
    wanted = steps & _NEEDS_RIGHT if steps else {"add_collateral"}
    found = []
    if "add_collateral" in wanted and not grant.adds:
        found.append("add collateral")
    if wanted & {"reduce", "close"} and not grant.reduces:
        found.append("reduce")
    return found
