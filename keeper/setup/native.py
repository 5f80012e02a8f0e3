"""The price of the chain's own coin in a new configuration: by the market, a feed, or the operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_utils.address import is_address

from keeper.chain.contract_reads import ContractReads
from keeper.config import known_chain


@dataclass(frozen=True, slots=True)
class NativeCoin:
    """`setting` is the value for `native_price`: empty where the market gives the price itself, None where
    only the operator can; `because` is the reason, for people."""

    setting: str | None
    because: str


def native_coin_of(
    reads: ContractReads, symbols: Mapping[str, str], tokens: Sequence[str], *, in_coin: bool
) -> NativeCoin:
    """The coin of a chain with one market. `symbols` are those of priced assets, by name in the market;
    `tokens` are their addresses; `in_coin`: its collateral is the coin itself."""
    row = known_chain(reads.chain.eth.chain_id)
    coin = row.native if row else "the native coin"
    if in_coin:
        return NativeCoin("", f"the market prices {coin} itself")
    listed = {name.lower(): symbol for name, symbol in symbols.items()}
    wrapped = row.wrapped if row else None
    if wrapped is not None:
        symbol = listed.get(wrapped.address.lower()) or next(
            (each for each in symbols.values() if each.lower() == wrapped.symbol.lower()), None
        )
        if symbol is not None:
            return NativeCoin("", f"what the market says of {symbol}")
    if row is not None and row.native_feed is not None:
        source = row.sources.get("native_feed", "")
        return NativeCoin(row.native_feed, f"{coin} in dollars, which the market does not price ({source})")
    found = _holds_its_supply(reads, [each for each in tokens if is_address(each)])
    if found is not None:
        symbol = symbols.get(found) or listed.get(found.lower()) or found
        return NativeCoin(symbol, f"{symbol} holds as many coins as there are tokens of it")
    return NativeCoin(None, f"nothing here tells what {coin} costs")


def _holds_its_supply(reads: ContractReads, tokens: Sequence[str]) -> str | None:
    """The token that wraps the chain's coin: it holds one coin per token in existence."""
    contracts = [reads.at("ERC20", token) for token in tokens]
    supplies = reads.read_each(each.functions.totalSupply() for each in contracts)
    for token, contract, supply in zip(tokens, contracts, supplies, strict=True):
        if supply and reads.chain.eth.get_balance(contract.address) == supply:
            return token
    return None
