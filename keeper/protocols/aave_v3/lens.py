"""Calls to and answers of `contracts/src/AaveV3Lens.sol`, which is called without being deployed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector

from keeper.chain.calls import Answer, Call, Lens
from keeper.contracts import runtime_code
from keeper.errors import KeeperError
from keeper.margin.lending.aave.state import AccountState, EMode, MarketState, Position, Reserve

ADDRESS = "0x00000000000000000000000000000000ba7c00a3"

_RESERVE_DATA = (
    "(uint256,uint128,uint128,uint128,uint128,uint128,uint40,uint16,address,address,address,address,uint128)"
)
_RESERVE = f"(address,{_RESERVE_DATA},uint256,bool{',uint256' * 8})"
_SENTINEL = "(address,bool,uint256,bool,int256,uint256,uint256)"
_EMODE = "(uint8,bool,uint16,uint16,uint16,address,uint256,bool,uint128,uint128,uint128,string)"
_MARKET = f"(uint256,address,address,uint256,uint256,{_SENTINEL},{_RESERVE}[],{_EMODE}[])"

_MARKET_SELECTOR = function_signature_to_4byte_selector("market(address,uint8[])")
_ACCOUNTS_SELECTOR = function_signature_to_4byte_selector("accounts(address,bytes)")

_STABLE = 4


@dataclass(frozen=True, slots=True)
class Sentinel:
    """What a market's price sentinel said at the block, and what its answer hangs on (seconds, Unix times).

    `answer` is the sequencer feed's: 0 is up; None where the feed failed.
    """

    allowed: bool
    grace_period: int
    answer: int | None
    started_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool's market-wide state at one block. `unpriced` names reserves whose price cannot be read;
    `emode_sources` has the categories with a price of their own (up to 3.1) and what the oracle knows it by,
    `unpriced_emodes` those of them whose price cannot be read."""

    revision: int
    oracle: str
    addresses_provider: str
    market: MarketState
    unpriced: tuple[str, ...] = ()
    sentinel: Sentinel | None = None
    emode_sources: dict[int, str] = field(default_factory=dict)
    unpriced_emodes: frozenset[int] = frozenset()
    flash_loan_premium: int = 0
    """Basis points, the whole of it."""


def lens() -> Lens:
    return Lens(ADDRESS, runtime_code("AaveV3Lens"))


def market_call(pool: str, emodes: Iterable[int]) -> Call:
    return Call(ADDRESS, _MARKET_SELECTOR + encode(["address", "uint8[]"], [pool, sorted(emodes)]))


def accounts_call(pool: str, accounts: Sequence[str]) -> Call:
    packed = bytes.fromhex("".join(account[2:] for account in accounts))
    return Call(ADDRESS, _ACCOUNTS_SELECTOR + encode(["address", "bytes"], [pool, packed]))


def read_market(answer: Answer) -> PoolState:
    revision, provider, oracle, base_unit, premium, sentinel, reserves, emodes = decode(
        [_MARKET], answer.data
    )[0]
    listed = [_reserve(row) for row in reserves]
    return PoolState(
        revision=revision,
        oracle=oracle,
        addresses_provider=provider,
        market=MarketState(
            reserves={reserve.id: reserve for reserve in sorted(listed, key=lambda each: each.id)},
            emodes={row[0]: _emode(row) for row in emodes},
            base_unit=base_unit,
        ),
        unpriced=tuple(row[0] for row in reserves if not row[3]),
        sentinel=_sentinel(sentinel),
        emode_sources={row[0]: row[5] for row in emodes if int(row[5], 16)},
        unpriced_emodes=frozenset(row[0] for row in emodes if int(row[5], 16) and not row[7]),
        flash_loan_premium=premium,
    )


def _sentinel(row: tuple[Any, ...]) -> Sentinel | None:
    target, allowed, grace_period, feed_ok, answer, started_at, updated_at = row
    if not int(target, 16):
        return None
    return Sentinel(allowed, grace_period, answer if feed_ok else None, started_at, updated_at)


def _reserve(row: tuple[Any, ...]) -> Reserve:
    asset, data, price, price_ok, available, supply, debt, *stable, counted, grace_until = row
    return Reserve(
        id=data[7],
        asset=asset,
        a_token=data[8],
        stable_debt_token=data[9],
        variable_debt_token=data[10],
        configuration=data[0],
        liquidity_index=data[1],
        liquidity_rate=data[2],
        variable_borrow_index=data[3],
        variable_borrow_rate=data[4],
        last_update=data[6],
        price=price if price_ok else 0,
        available_liquidity=min(available, counted),
        scaled_supply=supply,
        scaled_variable_debt=debt,
        accrued_to_treasury=data[12],
        stable_principal=stable[0],
        stable_rate=stable[1],
        stable_since=stable[2],
        grace_until=grace_until,
    )


def _emode(row: tuple[Any, ...]) -> EMode:
    identity, _, ltv, threshold, bonus, _, price, price_ok, collateral, borrowable, ltv_zero, _ = row
    return EMode(identity, ltv, threshold, bonus, price if price_ok else 0, collateral, borrowable, ltv_zero)


def read_accounts(accounts: Sequence[str], answer: Answer) -> dict[str, AccountState]:
    """Unpack the raw state of `accounts`; the layout is the lens's, in its own comment."""
    if not answer.ok:
        raise KeeperError(
            f"the lens could not read these accounts (revert data 0x{answer.data.hex()})",
            where=f"{accounts[0]} and others",
        )
    length = int.from_bytes(answer.data[32:64], "big")
    data = answer.data[64 : 64 + length]
    states: dict[str, AccountState] = {}
    at = 0
    number = int.from_bytes
    for account in accounts:
        emode, count = data[at], data[at + 1]
        configuration = number(data[at + 2 : at + 34], "big")
        at += 34
        positions = []
        for _ in range(count):
            reserve_id, flags = data[at], data[at + 1]
            collateral = number(data[at + 2 : at + 18], "big")
            debt = number(data[at + 18 : at + 34], "big")
            at += 34
            if flags & _STABLE:
                principal = number(data[at : at + 16], "big")
                rate = number(data[at + 16 : at + 32], "big")
                since = number(data[at + 32 : at + 37], "big")
                at += 37
                positions.append(Position(reserve_id, collateral, debt, principal, rate, since))
            else:
                positions.append(Position(reserve_id, collateral, debt))
        states[account] = AccountState(emode, configuration, tuple(positions))
    return states
