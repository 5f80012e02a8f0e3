"""A local Perp v2 of two markets and one collateral token, and short words for what tests do on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from keeper.localchain import perp_v2_actions as actions
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import view
from keeper.localchain.perp_v2 import deploy
from keeper.localchain.perp_v2_market import (
    DOLLAR,
    WAD,
    BaseSpec,
    CurieBuild,
    CurieDeployment,
    CurieSpec,
    LocalBase,
    LocalVaultCollateral,
    VaultCollateralSpec,
)
from keeper.localchain.rpc import Json
from keeper.localchain.transactions import Tx, send_batch

BUILDS: tuple[CurieBuild, ...] = ("2.6.0", "2.8.4")
MARKETS = (BaseSpec("vETH", 2_000 * 10**8), BaseSpec("vBTC", 30_000 * 10**8))
COLLATERALS = (VaultCollateralSpec("WETH", 2_000 * 10**8),)


@dataclass(frozen=True)
class CurieExchange:
    """The system on a running chain."""

    anvil: Anvil
    system: CurieDeployment

    @property
    def eth(self) -> LocalBase:
        return self.system.markets["vETH"]

    @property
    def btc(self) -> LocalBase:
        return self.system.markets["vBTC"]

    @property
    def weth(self) -> LocalVaultCollateral:
        return self.system.collaterals["WETH"]

    def send(self, *txs: Tx) -> list[dict[str, Json]]:
        """Send in order; TransactionFailedError with Perp's own code for the first that reverts."""
        return send_batch(self.anvil.rpc, txs)

    def fund(self, who: str, dollars: int = 0, ether: int = 0) -> None:
        """Deposit whole dollars and whole WETH that are made for it."""
        steps = []
        if dollars:
            steps += actions.mint_and_deposit(self.system, who, dollars * DOLLAR)
        if ether:
            steps += actions.mint_and_deposit(self.system, who, ether * WAD, self.weth)
        self.send(*steps)

    def trade(self, who: str, market: LocalBase, size: int) -> None:
        self.send(actions.open_position(self.system, who, market, size))

    def set_price(self, market: LocalBase, dollars: int) -> None:
        """The index first and then the pool come to a price in whole dollars."""
        self.set_index(market, dollars)
        actions.move_pool(self.anvil.rpc, self.system, market, dollars * 10**8)

    def set_index(self, source: LocalBase | LocalVaultCollateral, dollars: int) -> None:
        """The index comes to a price in whole dollars, and a market's feed takes note."""
        self.wait(1)
        self.send(actions.set_index(self.system, source, dollars * 10**8))
        if isinstance(source, LocalBase):
            self.send(actions.cache_index(self.system, self.system.owner, source))

    def wait(self, seconds: int) -> None:
        actions.pass_time(self.anvil.rpc, seconds)

    def numbers(self, contract: str, signature: str, types: str, *arguments: object) -> tuple[int, ...]:
        """A view that answers with numbers, its types parted by commas."""
        answer = view(self.anvil.rpc, contract, signature, arguments, *types.split(","))
        return cast(tuple[int, ...], answer)

    def number(self, contract: str, signature: str, *arguments: object) -> int:
        """A view whose first value is a signed number."""
        return self.numbers(contract, signature, "int256", *arguments)[0]

    def value(self, who: str) -> int:
        """The account's value, scaled 1e18, cut to the dollar's six decimals as the exchange does."""
        return self.number(self.system.clearing_house, "getAccountValue(address)", who)

    def required(self, who: str) -> int:
        """What the account's value must not fall below."""
        signature = "getMarginRequirementForLiquidation(address)"
        return self.number(self.system.account_balance, signature, who)

    def free(self, who: str, ratio: int) -> int:
        """Free collateral at a ratio in millionths, in the dollar's units, rounded down."""
        signature = "getFreeCollateralByRatio(address,uint24)"
        return self.number(self.system.vault, signature, who, ratio)

    def mark(self, market: LocalBase) -> int:
        return self.number(self.system.account_balance, "getMarkPrice(address)", market.token)

    def is_open(self, market: LocalBase) -> bool:
        return self.number(market.token, "isOpen()") == 1

    def index(self, market: LocalBase, interval: int = 0) -> int:
        return self.number(market.token, "getIndexPrice(uint256)", interval)

    def size(self, who: str, market: LocalBase) -> int:
        """The position, what the maker's ranges traded included."""
        signature = "getTotalPositionSize(address,address)"
        return self.number(self.system.account_balance, signature, who, market.token)

    def taker(self, who: str, market: LocalBase) -> tuple[int, ...]:
        """The position without ranges: size, open notional, and the funding growth it was last settled at."""
        signature = "getAccountInfo(address,address)"
        return self.numbers(self.system.account_balance, signature, "int256,int256,int256", who, market.token)

    def funding(self, who: str, market: LocalBase) -> int:
        """What the account owes on the market since it was last settled."""
        signature = "getPendingFundingPayment(address,address)"
        return self.number(self.system.exchange, signature, who, market.token)

    def balance(self, who: str, collateral: LocalVaultCollateral | None = None) -> int:
        """What the vault holds for the account of one token, profits not yet settled left out."""
        token = self.system.usd if collateral is None else collateral.token
        return self.number(self.system.vault, "getBalanceByToken(address,address)", who, token)

    def owed(self, who: str) -> tuple[int, ...]:
        """Realised profit not yet settled, unrealised profit, and fees a maker has not yet collected."""
        signature = "getPnlAndPendingFee(address)"
        return self.numbers(self.system.account_balance, signature, "int256,int256,uint256", who)

    def dollars(self, who: str) -> int:
        return self.number(self.system.usd, "balanceOf(address)", who)


@contextmanager
def curie_exchange(genesis: int, build: CurieBuild, spec: CurieSpec | None = None) -> Iterator[CurieExchange]:
    """A chain of its own with the system on it."""
    with Anvil(AnvilOptions(timestamp=genesis)) as running:
        yield CurieExchange(running, deploy(running.rpc, MARKETS, COLLATERALS, spec, build))
