"""Owners whose own money tops up: whether our contract is the right one, and what it may spend of theirs."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain import blocks
from keeper.chain.calls import answers_to
from keeper.chain.contract_reads import ContractReads
from keeper.config import Settings, table_of
from keeper.doctor.funds import decimals_of
from keeper.model.account_key import account_key
from keeper.model.cure import OwnerMoney
from keeper.model.finding import Finding
from keeper.model.format import format_amount_short
from keeper.service import contract_versions
from keeper.service.markets import Market, policies_of


def owners(settings: Settings, market: Market, operator: str) -> Iterator[Finding]:
    """One line per protected account of this market that pays for itself."""
    policies = policies_of(settings)
    for i, protect in enumerate(settings.protect):
        if protect.market != market.name or protect.paid_by != "owner":
            continue
        protection = policies.levels(market.name, account_key(protect.account)).protection
        assert protection is not None and protection.owner is not None
        yield _owner(market, f"protect[{i}], owner's money", protect.account, protection.owner, operator)


def _owner(market: Market, subject: str, owner: str, money: OwnerMoney, operator: str) -> Finding:
    head = blocks.latest(market.book.pool)
    reads = ContractReads(market.book.pool, head)
    pool = reads.read_or_none(reads.at("OwnerTopUp", money.contract).functions.POOL())
    if pool is None:
        return Finding.fault(
            subject,
            f"{money.contract} is no OwnerTopUp contract",
            f"Correct markets.{market.name}.{table_of(market.settings.protocol)}.owner_top_up, or make one: "
            "keeper contracts deploy owner-top-up",
        )
    if pool.lower() != market.adapter.contract.lower():
        return Finding.fault(
            subject,
            f"{money.contract} is for the pool {pool}",
            f"Make one for {market.adapter.contract}: "
            f"keeper contracts deploy owner-top-up --market {market.name}",
        )
    version = contract_versions.at(market.book.pool, "OwnerTopUp", money.contract, market.adapter.contract)
    if version is None or not version.is_latest:
        lacks = "; ".join(version.lacks.values()) if version is not None else "what nobody knows"
        return Finding(
            subject,
            "warning" if version is not None else "fault",
            f"{money.contract} is no latest version of our OwnerTopUp; it lacks: {lacks}",
            f"Make one: keeper contracts deploy owner-top-up --market {market.name} --live",
        )
    state, payments = market.book.state, market.adapter.owner_payments
    assert payments is not None, "the configuration names an owner's contract where there is such a thing"
    purse = market.purse(head, operator)
    answers = answers_to(market.book.pool, head, payments.owner_calls(state, owner, money, operator))
    found = payments.read_owner(state, owner, money, operator, answers, head.timestamp)
    decimals = decimals_of(reads, list(found.available))
    open_to_us = [
        f"{format_amount_short(units, decimals[token])} {purse.symbol(token)}"
        for token, units in found.available.items()
        if units
    ]
    if open_to_us:
        return Finding.ok(subject, f"may spend {', '.join(open_to_us)} of {owner} today")
    reasons = sorted(set(found.why.values()))
    return Finding.warning(
        subject,
        f"nothing of {owner} can be spent: {'; '.join(reasons)}",
        f"{owner} calls setOperator({operator}, true) and setLimit on {money.contract}, and approves it",
    )
