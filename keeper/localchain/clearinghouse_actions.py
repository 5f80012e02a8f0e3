"""Transactions of a local clearinghouse: whoever trades signs with a key of their own."""

from __future__ import annotations

from eth_account import Account

from keeper.localchain.clearinghouse import CASH_DECIMALS, UNIT, HouseDeployment
from keeper.localchain.transactions import Tx, call_of

MAX = 2**256 - 1
LATER = 2**40 - 1
_ORDER = "(uint256,uint32,int64,uint64,uint64,uint40)"
TRADE = f"trade(({_ORDER},bytes),({_ORDER},bytes),uint64)"
_FIELDS = {
    "account": "uint256",
    "instrument": "uint32",
    "size": "int64",
    "limit": "uint64",
    "nonce": "uint64",
    "deadline": "uint40",
}


def address_of(key: int) -> str:
    return str(Account.from_key(key.to_bytes(32, "big")).address)


def open_account(system: HouseDeployment, who: str) -> Tx:
    return call_of(who, system.house, "open()")


def deposit_cash(system: HouseDeployment, who: str, account: int, dollars: int) -> list[Tx]:
    """Mint whole dollars and deposit them."""
    units = dollars * 10**CASH_DECIMALS
    return [
        call_of(who, system.dollars, "mint(address,uint256)", who, units),
        call_of(who, system.dollars, "approve(address,uint256)", system.house, 0),
        call_of(who, system.dollars, "approve(address,uint256)", system.house, MAX),
        call_of(who, system.house, "depositCash(uint256,uint256)", account, units),
    ]


def deposit_ether(system: HouseDeployment, who: str, account: int, amount: int) -> list[Tx]:
    """Mint units of ether and deposit them as collateral."""
    return [
        call_of(who, system.ether, "mint(address,uint256)", who, amount),
        call_of(who, system.ether, "approve(address,uint256)", system.house, 0),
        call_of(who, system.ether, "approve(address,uint256)", system.house, MAX),
        call_of(who, system.house, "deposit(uint256,uint256,uint256)", account, 0, amount),
    ]


def withdraw_cash(system: HouseDeployment, who: str, account: int, units: int) -> Tx:
    return call_of(who, system.house, "withdrawCash(uint256,uint256,address)", account, units, who)


def withdraw_ether(system: HouseDeployment, who: str, account: int, amount: int) -> Tx:
    return call_of(who, system.house, "withdraw(uint256,uint256,uint256,address)", account, 0, amount, who)


def signed_order(
    system: HouseDeployment,
    chain_id: int,
    key: int,
    account: int,
    instrument: int,
    size: int,
    limit: int,
    nonce: int,
) -> tuple[object, ...]:
    """An order as the contract takes it, with its signature. Size and limit have nine decimals."""
    values = (account, instrument, size, limit, nonce, LATER)
    domain = {
        "name": "Clearinghouse",
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": system.orders,
    }
    types = {"Order": [{"name": name, "type": kind} for name, kind in _FIELDS.items()]}
    signed = Account.sign_typed_data(
        key.to_bytes(32, "big"), domain, types, dict(zip(_FIELDS, values, strict=True))
    )
    return values, bytes(signed.signature)


def trade(
    system: HouseDeployment,
    chain_id: int,
    buyer: tuple[int, int],
    seller: tuple[int, int],
    instrument: int,
    size: int,
    price: int,
    nonce: int,
) -> Tx:
    """`size` (nine decimals) from the seller to the buyer at a price (nine decimals); both (key, account)."""
    bought = signed_order(system, chain_id, *buyer, instrument, size, price, nonce)
    sold = signed_order(system, chain_id, *seller, instrument, -size, price, nonce)
    call = call_of(address_of(buyer[0]), system.orders, TRADE, bought, sold, size)
    return {**call, "gas": 12_000_000}


def set_price(system: HouseDeployment, symbol: str, dollars: int) -> Tx:
    return call_of(system.owner, system.feeds[symbol], "updateAnswer(int256)", dollars * 10**8)


def set_volatility(system: HouseDeployment, at_the_money: int, skew: int = 0) -> Tx:
    return call_of(system.owner, system.volatility, "set(uint256,int256)", at_the_money, skew)


def margin_call(system: HouseDeployment, who: str, account: int, scenario: int) -> Tx:
    return call_of(who, system.house, "call(uint256,uint256)", account, scenario)


def liquidate(system: HouseDeployment, who: str, account: int, scenario: int, share: int, taker: int) -> Tx:
    signature = "liquidate(uint256,uint256,uint256,uint256,int256)"
    call = call_of(who, system.house, signature, account, scenario, share, taker, 2**127)
    return {**call, "gas": 12_000_000}


def realize(system: HouseDeployment, who: str, account: int) -> Tx:
    return call_of(who, system.house, "realize(uint256)", account)


def price_of(dollars: float) -> int:
    """A price with nine decimals."""
    return round(dollars * UNIT)
