"""Random Aave markets and the crowds in them: everything that may differ between accounts does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment, EModeSpec, RateSpec, ReserveSpec
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import LocalRpc
from keeper.localchain.transactions import TransactionFailedError, Tx, send_batch
from tests.support import aave_users

LENDER = "0x" + "1e" * 20
BPS = 10_000
_EMODE_PRICE = 1800_00000000
# Reserves by what they are for: 0–2 share an e-mode, 3 and 4 another, 7 is no collateral by itself.
_DECIMALS = (18, 18, 6, 8, 6, 12, 18, 18)
_BARE = 7


@dataclass(frozen=True)
class Specs:
    """What a random market is deployed from."""

    reserves: tuple[ReserveSpec, ...]
    emodes: tuple[EModeSpec, ...]

    def symbols(self) -> list[str]:
        return [spec.symbol for spec in self.reserves]

    def by_symbol(self, symbol: str) -> ReserveSpec:
        return next(spec for spec in self.reserves if spec.symbol == symbol)


def random_specs(dice: random.Random, version: str) -> Specs:
    """Eight reserves and two e-modes; in 3.0.2 the first e-mode brings a price source of its own."""
    reserves = tuple(_reserve(dice, index) for index in range(len(_DECIMALS)))
    name = [spec.symbol for spec in reserves]
    first = {
        "3.0.2": EModeSpec(1, 9400, 9550, 10150, "priced", *(tuple(name[:3]),) * 2, price=_EMODE_PRICE),
        "3.6": EModeSpec(
            1, 9400, 9550, 10150, "bare", (name[0], name[1], name[_BARE]), (name[1], name[2], name[3])
        ),
    }[version]
    second = EModeSpec(2, 9350, 9500, 10250, "pair", *(tuple(name[3:5]),) * 2)
    return Specs(reserves, (first, second))


def _reserve(dice: random.Random, index: int) -> ReserveSpec:
    threshold = dice.randint(2_000, 9_200)
    bonus = dice.randint(10_050, min(11_500, BPS * BPS // threshold))
    rates = RateSpec(
        optimal=dice.randint(3_000, 9_000),
        base=dice.randint(0, 300),
        slope1=dice.randint(100, 1_500),
        slope2=dice.randint(2_000, 30_000),
    )
    # The members of the priced e-mode are worth about its price, or its accounts could not borrow.
    price = _EMODE_PRICE * dice.randint(90, 110) // 100 if index < 3 else int(10 ** dice.uniform(4, 12.8))
    return ReserveSpec(
        f"R{index}",
        _DECIMALS[index],
        price,
        0 if index == _BARE else dice.randint(threshold * 95 // 100, threshold),
        0 if index == _BARE else threshold,
        bonus,
        protocol_fee=dice.choice((0, dice.randint(1, 3_000))),
        reserve_factor=dice.randint(0, 4_000),
        rates=rates,
        stable_borrowing=index % 2 == 0,
    )


def address(number: int) -> str:
    """The n-th account of a crowd, lower case."""
    return f"0x{0xC0DE << 144 | number:040x}"


def units(spec: ReserveSpec, dollars: float) -> int:
    """Token units of so many dollars at the specification's price; at least one."""
    return max(int(dollars * 10**8) * int(10**spec.decimals) // spec.price, 1)


def send_what_goes(rpc: LocalRpc, txs: list[Tx]) -> None:
    """Sends all of them; what a random account may not do reverts by itself and changes nothing."""
    try:
        send_batch(rpc, txs)
    except TransactionFailedError:
        return


def lending(market: AaveDeployment, specs: Specs, dollars: float = 10**9) -> Iterator[Tx]:
    """The lender fills every reserve, and keeps as much again to pay for others."""
    for spec in specs.reserves:
        reserve, amount = market.reserves[spec.symbol], units(spec, dollars)
        yield act.mint(market, reserve, LENDER, 2 * amount)
        yield act.approve(market, reserve, LENDER)
        yield act.supply(market, reserve, LENDER, amount)


def supply_for(market: AaveDeployment, symbol: str, account: str, amount: int) -> Tx:
    """The lender supplies on behalf of an account."""
    # Supply and repay name the account they are for, so only the sender is another.
    return {**act.supply(market, market.reserves[symbol], account, amount), "from": LENDER}


def repay_for(market: AaveDeployment, symbol: str, account: str, amount: int, rate_mode: int) -> Tx:
    """The lender repays on behalf of an account."""
    return {**aave_users.repay(market, market.reserves[symbol], account, amount, rate_mode), "from": LENDER}


def opening(dice: random.Random, market: AaveDeployment, specs: Specs, accounts: list[str]) -> Iterator[Tx]:
    """What brings the accounts into the market: some of it may be refused."""
    for account in accounts:
        yield from _account(dice, market, specs, account)


def _account(dice: random.Random, market: AaveDeployment, specs: Specs, account: str) -> Iterator[Tx]:
    emode = dice.choice(specs.emodes) if dice.random() < 0.35 else None
    pool = list(emode.collaterals) if emode and dice.random() < 0.7 else specs.symbols()
    held = dice.sample(pool, min(dice.randint(1, 3), len(pool)))
    power = 0.0
    if emode:
        yield act.set_emode(market, account, emode.id)
    for symbol in held:
        spec, dollars = specs.by_symbol(symbol), 10 ** dice.uniform(-1, 6)
        amount = dice.randint(1, 3) if dice.random() < 0.05 else units(spec, dollars)
        yield supply_for(market, symbol, account, amount)
        ltv = emode.ltv if emode and symbol in emode.collaterals else spec.ltv
        power += amount * spec.price / 10 ** (spec.decimals + 8) * ltv / BPS
    yield from _debts(
        dice, market, specs, account, list(emode.borrowables) if emode else specs.symbols(), power
    )
    if len(held) > 1 and dice.random() < 0.3:
        yield act.use_as_collateral(market, market.reserves[dice.choice(held)], account, False)


def _debts(
    dice: random.Random,
    market: AaveDeployment,
    specs: Specs,
    account: str,
    borrowable: list[str],
    power: float,
) -> Iterator[Tx]:
    # Many are close to the limit: a crash should find them on both sides of it.
    count, part = min(dice.randint(0, 3), len(borrowable)), 0.998 - 0.6 * dice.random() ** 3
    for symbol in dice.sample(borrowable, count):
        spec, dollars = specs.by_symbol(symbol), power * part / count
        amount = dice.randint(1, 3) if dice.random() < 0.05 else units(spec, dollars)
        stable = spec.stable_borrowing and market.version == "3.0.2" and dice.random() < 0.5
        mode = act.STABLE_RATE if stable else act.VARIABLE_RATE
        yield act.borrow(market, market.reserves[symbol], account, amount, mode)
        if stable and dice.random() < 0.3:
            yield act.borrow(market, market.reserves[symbol], account, max(amount // 50, 1))


def restlessness(
    dice: random.Random, market: AaveDeployment, specs: Specs, accounts: list[str]
) -> Iterator[Tx]:
    """What accounts do later: more, less, switched, given away. Much of it may be refused."""
    for account in dice.sample(accounts, len(accounts) // 2):
        spec = dice.choice(specs.reserves)
        reserve = market.reserves[spec.symbol]
        amount = units(spec, 10 ** dice.uniform(-1, 4))
        yield dice.choice(
            (
                supply_for(market, spec.symbol, account, amount),
                repay_for(market, spec.symbol, account, amount, act.VARIABLE_RATE),
                aave_users.withdraw(market, reserve, account, amount),
                act.borrow(market, reserve, account, amount),
                act.transfer_a_token(reserve, account, dice.choice(accounts), amount),
                act.use_as_collateral(market, reserve, account, dice.random() < 0.5),
                act.set_emode(market, account, 0),
            )
        )


def new_prices(dice: random.Random, market: AaveDeployment, specs: Specs, spread: float) -> Iterator[Tx]:
    """Every feed moves by a random factor of at most 10^spread either way."""
    for spec in specs.reserves:
        price = int(spec.price * 10 ** dice.uniform(-spread, spread)) + 1
        yield act.set_price(market, market.reserves[spec.symbol], price)


def lose_threshold(market: AaveDeployment, symbol: str, configuration: int) -> Tx:
    """A reserve in use gets liquidation threshold 0, which the configurator itself would refuse."""
    bare = configuration & ~(0xFFFF | 0xFFFF << 16)
    data = calldata("setConfiguration(address,(uint256))", market.reserves[symbol].asset, (bare,))
    return {"from": market.configurator, "to": market.pool, "data": data}
