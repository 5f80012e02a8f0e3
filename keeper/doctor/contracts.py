"""The Liquidator of a chain, and the contract that takes positions over in a market: whether each is ours,
and whether the signer may use it."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain import blocks
from keeper.chain.contract_reads import ContractReads
from keeper.chain.pool import NodePool
from keeper.config import Settings, table_of
from keeper.model.finding import Finding
from keeper.service import contract_versions
from keeper.service.contract_versions import Version
from keeper.service.markets import Market


def outdated(subject: str, address: str, version: Version, remedy: str) -> Iterator[Finding]:
    """One line where a later version of the contract can do more."""
    if version.is_latest:
        return
    lacks = "; ".join(version.lacks.values())
    yield Finding.warning(
        f"{subject}, version",
        f"{address} is version {version.number} of our {version.name}, the latest is {version.latest}; it "
        f"works, but lacks: {lacks}",
        f"Deploy the latest: {remedy}",
    )


def liquidator(settings: Settings, chain: str, pool: NodePool, payer: str) -> Iterator[Finding]:
    """One line where a contract is configured."""
    address = settings.chains[chain].liquidator
    if address is None:
        return
    subject = f"liquidator on {chain}"
    version = contract_versions.at(pool, "Liquidator", address)
    if version is None:
        yield Finding.fault(
            subject,
            f"{address} is not our Liquidator: no version of it has this code",
            "Deploy it: keeper contracts deploy liquidator --live",
        )
        return
    yield from outdated(subject, address, version, "keeper contracts deploy liquidator --live")
    reads = ContractReads(pool, blocks.latest(pool))
    ours = reads.at("Liquidator", address).functions
    owner, operator = reads.read_each([ours.owner(), ours.isOperator(payer)])
    if owner != payer and not operator:
        yield Finding.fault(
            subject,
            f"{address} does not work for the signer",
            f"Its owner {owner} calls setOperator({payer}, true) on it",
        )
        return
    yield Finding.ok(subject, f"{address}, profit goes to {owner}")


def takeover(market: Market, payer: str) -> Iterator[Finding]:
    """One line where such a contract is configured, or could be."""
    own, subject = market.settings.own, f"takeovers in {market.name}"
    if "takeover" not in own.contracts:
        return
    remedy = f"Make one: keeper contracts deploy takeover --market {market.name} --live"
    address = own.ours("takeover")
    if address is None:
        yield Finding.warning(subject, "no contract is configured: nobody is liquidated there", remedy)
        return
    reads = ContractReads(market.book.pool, blocks.latest(market.book.pool))
    ours = reads.at("PerpTakeover", address).functions
    house = reads.read_or_none(ours.HOUSE())
    if house is None or house.lower() != market.adapter.contract.lower():
        named = "is no PerpTakeover contract" if house is None else f"is for the exchange {house}"
        table = f"markets.{market.name}.{table_of(market.settings.protocol)}.takeover"
        yield Finding.fault(subject, f"{address} {named}", f"Correct {table}. {remedy}")
        return
    owner, operator = reads.read_each([ours.owner(), ours.isOperator(payer)])
    if owner != payer and not operator:
        says = f"Its owner {owner} calls setOperator({payer}, true) on it"
        yield Finding.fault(subject, f"{address} does not work for the signer", says)
        return
    yield Finding.ok(subject, f"{address} takes positions over with the signer's money")
