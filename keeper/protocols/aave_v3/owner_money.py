"""The owner's own money: what `contracts/src/OwnerTopUp.sol` may spend of it, and the calls that do."""

from __future__ import annotations

from collections.abc import Mapping

from keeper.chain.calldata import encoded
from keeper.chain.calls import Answer, Call
from keeper.chain.erc20 import balance_of, read_uint
from keeper.config.policy import SignedAllowance
from keeper.model.cure import OwnerFunds, OwnerMoney
from keeper.protocols.aave_v3.lens import PoolState

SUPPLY = "supply(address,address,uint256)"
REPAY = "repay(address,address,uint256,uint256)"
PERMIT_AND_CALL = "permitAndCall(address,address,uint256,uint256,uint8,bytes32,bytes32,bytes)"
DAY = 24 * 3600
ERRORS = "owner_top_up_errors"
# On top of the pool's own: the owner's tokens come in, the pool is allowed them, the rest goes back.
GAS = 150_000


class OwnerTopUps:
    """Top-ups from owners' own money, by our contract for the pool."""

    def owner_calls(self, state: PoolState, owner: str, money: OwnerMoney, operator: str) -> list[Call]:
        """Whether `operator` may act, and for each asset: limit, allowance, balance, permit nonce."""
        each = [call for asset in _assets(state) for call in _of_token(asset, owner, money.contract)]
        return [_is_operator(owner, money.contract, operator), *each]

    def read_owner(
        self,
        state: PoolState,
        owner: str,
        money: OwnerMoney,
        operator: str,
        answers: Mapping[Call, Answer],
        timestamp: int,
    ) -> OwnerFunds:
        """What can be spent of each asset in a block at `timestamp`, with permits that fit and allow more."""
        available: dict[str, int] = {}
        why: dict[str, str] = {}
        permits: dict[str, SignedAllowance] = {}
        may_act = bool(read_uint(answers[_is_operator(owner, money.contract, operator)]))
        for asset in _assets(state):
            limit, allowance, balance, nonce = (
                answers[call] for call in _of_token(asset, owner, money.contract)
            )
            allowed, has = read_uint(allowance), read_uint(balance)
            signed = money.permits.get(asset)
            usable = signed is not None and nonce.ok and signed.nonce == read_uint(nonce)
            if signed is not None and usable and signed.deadline >= timestamp and signed.value > allowed:
                permits[asset], allowed = signed, signed.value
            left = left_at(limit, timestamp)
            available[asset] = min(left, allowed, has) if may_act else 0
            why[asset] = _why(may_act, left, allowed, has)
        return OwnerFunds(money.contract, available, why, permits)


def _assets(state: PoolState) -> list[str]:
    return [reserve.asset for reserve in state.market.reserves.values()]


def _is_operator(owner: str, contract: str, operator: str) -> Call:
    return Call(contract, encoded("isOperator(address,address)", owner, operator))


def _of_token(asset: str, owner: str, contract: str) -> tuple[Call, Call, Call, Call]:
    return (
        Call(contract, encoded("limits(address,address)", owner, asset)),
        Call(asset, encoded("allowance(address,address)", owner, contract)),
        balance_of(asset, owner),
        Call(asset, encoded("nonces(address)", owner)),
    )


def left_at(limit: Answer, timestamp: int) -> int:
    """Units left of the owner's limit on the UTC day of `timestamp`, as the contract's leftToday has it."""
    if not limit.ok or len(limit.data) < 96:
        return 0
    per_day, spent, day = (int.from_bytes(limit.data[at : at + 32], "big") for at in (0, 32, 64))
    return max(per_day - (spent if day == timestamp // DAY else 0), 0)


def _why(may_act: bool, left: int, allowed: int, has: int) -> str:
    if not may_act:
        return "the owner has not named the keeper as operator"
    smallest = min(left, allowed, has)
    if smallest == left:
        return "the owner's limit of the day is used up"
    return "the owner's allowance is used up" if smallest == allowed else "the owner has none left"


def with_permit(owner: str, asset: str, signed: SignedAllowance, data: bytes) -> bytes:
    """`data` preceded by the use of the owner's signature."""
    signature = bytes.fromhex(signed.signature[2:])
    r, s, v = signature[:32], signature[32:64], signature[64]
    return encoded(PERMIT_AND_CALL, owner, asset, signed.value, signed.deadline, v, r, s, data)
