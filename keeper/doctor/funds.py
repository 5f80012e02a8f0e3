"""The signer's funds: gas money, tokens to act with, and allowances left standing."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.chain import blocks
from keeper.chain.contract_reads import ContractReads
from keeper.chain.pool import NodePool
from keeper.config import ChainSettings
from keeper.model.finding import Finding
from keeper.model.format import format_amount_short
from keeper.service.markets import Market

MOST_DECIMALS = 36
"""The most decimals that a sensible token has."""


def funds(settings: ChainSettings, pool: NodePool, markets: list[Market], payer: str) -> Iterator[Finding]:
    """Native coins and, for each market that was read, tokens and allowances of `payer`."""
    balance = int(pool.call("eth_getBalance", payer, "latest"), 16)
    whole, rest = divmod(balance, 10**18)
    yield Finding(
        "signer, gas",
        "ok" if balance else "fault",
        f"{whole}.{rest // 10**14:04d} native coins on {pool.name}",
        "" if balance else f"Send native currency to {payer} for gas",
    )
    for market in markets:
        yield from _market(settings, pool, market, payer)


def _market(settings: ChainSettings, pool: NodePool, market: Market, payer: str) -> Iterator[Finding]:
    head = blocks.latest(pool)
    contract = market.adapter.contract
    purse = market.purse(head, payer)
    tokens = list(purse.funds)
    reads = ContractReads(pool, head)
    asked = [reads.at("ERC20", token).functions.allowance(payer, contract) for token in tokens]
    allowances = reads.read_each(asked)
    decimals = decimals_of(reads, tokens)
    held = [
        f"{format_amount_short(units, decimals[token])} {purse.symbol(token)}"
        for token, units in purse.funds.items()
        if units
    ]
    subject, needed = f"funds for {market.name}", _needed_for(settings, market)
    if held or not needed:
        yield Finding.ok(subject, ", ".join(held) or "none, and none are needed here")
    else:
        yield Finding.warning(
            subject,
            f"none: {' and '.join(needed)} have nothing to pay with",
            f"Send tokens of the market to {payer}",
        )
    for token, units in zip(tokens, allowances, strict=True):
        if units:
            symbol = purse.symbol(token)
            yield Finding.warning(
                f"allowance for {market.name}",
                f"{format_amount_short(units, decimals[token])} {symbol} were left standing to {contract}",
                f"Revoke it: approve({contract}, 0) on {symbol} {token}, unless a transaction is under way",
            )


def _needed_for(settings: ChainSettings, market: Market) -> list[str]:
    """The uses of the signer's own tokens in this market."""
    borrows = settings.chain.liquidator is not None
    found = ["liquidations"] if market.adapter.needs_capital and not borrows else []
    if any(each.market == market.name and each.paid_by == "keeper" for each in settings.protect.values()):
        found.append("top-ups")
    return found


def decimals_of(reads: ContractReads, tokens: list[str]) -> dict[str, int]:
    """Each token's decimals; 0, which shows the smallest units, where it gives a number that no token has."""
    answers = reads.read_each(reads.at("ERC20", token).functions.decimals() for token in tokens)
    found = zip(tokens, answers, strict=True)
    return {token: said if said is not None and said <= MOST_DECIMALS else 0 for token, said in found}
