"""A market with very many accounts on a local chain, written into its contracts' storage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from eth_utils.crypto import keccak

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, LocalRpc, Request, as_dict, as_int, as_list, as_str
from keeper.localchain.transactions import send_batch

# Slots of a contract's own variables that a mapping may start at.
_SLOTS = range(120)
_AT_ONCE = 20_000
LENDER = "0x" + "1e" * 20


@dataclass(frozen=True)
class _Mapping:
    """A mapping from addresses in a contract's storage."""

    contract: str
    slot: int

    def key(self, account: str) -> str:
        return "0x" + keccak(bytes(12) + bytes.fromhex(account[2:]) + self.slot.to_bytes(32, "big")).hex()


def fill(rpc: LocalRpc, market: AaveDeployment, count: int, seed: int = 1, first: int = 0) -> list[str]:
    """`count` accounts with WETH and WBTC as collateral and USDC as debt, health lognormal about 1.9; totals
    agree with them. A lender supplies by real transactions first."""
    weth, wbtc, usdc = (market.reserves[name] for name in ("WETH", "WBTC", "USDC"))
    for reserve in (weth, wbtc, usdc):
        txs = act.mint_and_supply(market, reserve, LENDER, 10**9 * 10**reserve.decimals)
        send_batch(rpc, txs, market.errors)
    accounts = [f"0x{0xB16 << 148 | number:040x}" for number in range(first, first + count)]
    dice = np.random.default_rng(seed)
    ether, coins = dice.uniform(0.5, 50, count), dice.uniform(0.01, 2, count)
    power = ether * 2500 * 0.83 + coins * 60_000 * 0.78
    health = np.exp(dice.normal(0.65, 0.3, count))
    debts = power / np.where(health < 1.0, 1.5, health)
    amounts = {
        weth.a_token: [int(x * 10**9) * 10**9 for x in ether],
        wbtc.a_token: [int(x * 10**8) for x in coins],
        usdc.variable_debt_token: [int(x * 10**6) for x in debts],
    }
    ids = {name: _reserve_id(rpc, market, name) for name in ("WETH", "WBTC", "USDC")}
    bits = 2 << 2 * ids["WETH"] | 2 << 2 * ids["WBTC"] | 1 << 2 * ids["USDC"]
    users = _mapping(rpc, market.pool, "getUserConfiguration(address)")
    requests: list[Request] = [_write(users, account, bits) for account in accounts]
    for token, held in amounts.items():
        balances = _mapping(rpc, token, "scaledBalanceOf(address)")
        requests += [_write(balances, a, amount) for a, amount in zip(accounts, held, strict=True)]
        requests.append(_total(rpc, token, sum(held)))
    for at in range(0, len(requests), _AT_ONCE):
        rpc.batch(requests[at : at + _AT_ONCE])
    rpc.call("evm_mine")
    return accounts


def _write(mapping: _Mapping, account: str, value: int) -> Request:
    return "anvil_setStorageAt", [mapping.contract, mapping.key(account), f"0x{value:064x}"]


def _total(rpc: LocalRpc, token: str, more: int) -> Request:
    """Raise a token's scaled total supply, wherever it keeps it."""
    before = as_int(rpc.call("eth_call", {"to": token, "data": calldata("scaledTotalSupply()")}, "latest"))
    for key in _touched(rpc, token, calldata("scaledTotalSupply()")):
        word = as_int(rpc.call("eth_getStorageAt", token, key, "latest"))
        if word == before and int(key, 16) < _SLOTS.stop:
            return "anvil_setStorageAt", [token, key, f"0x{before + more:064x}"]
    raise LookupError(f"the total supply of {token} is in no slot of its own")


def _mapping(rpc: LocalRpc, contract: str, view: str) -> _Mapping:
    """The mapping that a view of an account reads, found by the keys it touches."""
    probe = "0x" + "7f" * 20
    keys = set(_touched(rpc, contract, calldata(view, probe)))
    for slot in _SLOTS:
        mapping = _Mapping(contract, slot)
        if mapping.key(probe) in keys:
            return mapping
    raise LookupError(f"{view} of {contract} reads no mapping by address")


def _touched(rpc: LocalRpc, contract: str, data: str) -> list[str]:
    call: dict[str, Json] = {"to": contract, "data": data}
    found = as_dict(rpc.call("eth_createAccessList", call, "latest"))
    return [
        as_str(key)
        for entry in as_list(found["accessList"])
        if as_str(as_dict(entry)["address"]).lower() == contract.lower()
        for key in as_list(as_dict(entry)["storageKeys"])
    ]


def _reserve_id(rpc: LocalRpc, market: AaveDeployment, name: str) -> int:
    listed = as_str(
        rpc.call("eth_call", {"to": market.pool, "data": calldata("getReservesList()")}, "latest")
    )
    words = [listed[2 + 64 * i : 66 + 64 * i] for i in range(len(listed) // 64)]
    assets = [word[24:] for word in words[2:]]
    return assets.index(market.reserves[name].asset[2:].lower())
