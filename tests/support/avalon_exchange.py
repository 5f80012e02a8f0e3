"""A local Lyra Avalon of two boards, and short words for what tests do on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import cast

from keeper.localchain import lyra_avalon_actions as actions
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import decoded, view
from keeper.localchain.lyra_avalon import deploy
from keeper.localchain.lyra_avalon_market import (
    AvalonDeployment,
    AvalonOption,
    AvalonSpec,
    BoardSpec,
    LocalBoard,
    LocalStrike,
    StrikeSpec,
)
from keeper.localchain.lyra_avalon_parameters import WAD, WEEK
from keeper.localchain.lyra_avalon_sources import avalon_artifact, signature_of
from keeper.localchain.rpc import Json, as_dict, as_int, as_str
from keeper.localchain.transactions import Tx, send_batch
from tests.support.synthetix_exchange import logged
from tests.support.views import view_int

STRIKES = (
    StrikeSpec(1_500 * WAD, 9 * WAD // 10),
    StrikeSpec(2_000 * WAD),
    StrikeSpec(2_500 * WAD, 11 * WAD // 10),
)
BOARDS = (BoardSpec(STRIKES), BoardSpec(STRIKES, lasts=10 * WEEK, iv=9 * WAD // 10))


class PositionState(IntEnum):
    """What became of a position, by the token's own numbers."""

    EMPTY = 0
    ACTIVE = 1
    CLOSED = 2
    LIQUIDATED = 3
    SETTLED = 4
    MERGED = 5


class PositionUpdate(IntEnum):
    """What an update of a position tells of, by the token's own numbers."""

    OPENED = 0
    ADJUSTED = 1
    CLOSED = 2
    SPLIT_FROM = 3
    SPLIT_INTO = 4
    MERGED = 5
    MERGED_INTO = 6
    SETTLED = 7
    LIQUIDATED = 8
    TRANSFER = 9


TOTAL_COST, RETURNED, LIQUIDATOR_FEE, INSOLVENT = 9, 13, 16, 18
"""Places among a trade's words."""


@dataclass(frozen=True)
class PositionView:
    """A position as its token has it."""

    id: int
    strike: int
    kind: AvalonOption
    amount: int
    collateral: int
    state: PositionState


@dataclass(frozen=True)
class AvalonExchange:
    """The market on a running chain."""

    anvil: Anvil
    system: AvalonDeployment

    @property
    def board(self) -> LocalBoard:
        return self.system.boards[0]

    @property
    def strike(self) -> LocalStrike:
        """The first board's middle strike, at which spot begins."""
        return self.board.strikes[1]

    def send(self, *txs: Tx) -> list[dict[str, Json]]:
        """Send in order; TransactionFailedError with Avalon's own error for the first that reverts."""
        return send_batch(self.anvil.rpc, txs, self.system.errors)

    def fund(self, who: str, dollars: int = 0, ether: int = 0) -> None:
        """Give whole dollars and tokens that the market may take."""
        self.send(*actions.mint_and_approve(self.system, who, dollars * WAD, ether * WAD))

    def open(self, who: str, kind: AvalonOption, amount: int, collateral: int = 0) -> int:
        """The number of a new position at the middle strike."""
        position = view_int(self.anvil.rpc, self.system.token, "nextId()")
        self.send(actions.open_position(self.system, who, self.strike, kind, amount, collateral))
        return position

    def set_spot(self, dollars: int) -> None:
        self.send(actions.set_spot(self.system, dollars * WAD))

    def wait(self, seconds: int) -> None:
        actions.pass_time(self.anvil.rpc, seconds)

    def now(self) -> int:
        """The last block's time."""
        head = as_dict(self.anvil.rpc.call("eth_getBlockByNumber", "latest", False))
        return as_int(head["timestamp"])

    def spot(self) -> int:
        signature = "getSpotPriceForMarket(address)"
        return view_int(self.anvil.rpc, self.system.adapter, signature, self.system.market)

    def numbers(self, contract: str, signature: str, types: str, *arguments: object) -> tuple[int, ...]:
        """A view that answers with numbers, its types parted by commas."""
        return cast(tuple[int, ...], view(self.anvil.rpc, contract, signature, arguments, *types.split(",")))

    def position(self, number: int) -> PositionView:
        """A position, empty where there never was one."""
        signature = "getOptionPosition(uint256)"
        _, strike, kind, amount, collateral, state = self.numbers(
            self.system.token, signature, "uint256,uint256,uint8,uint256,uint256,uint8", number
        )
        return PositionView(number, strike, AvalonOption(kind), amount, collateral, PositionState(state))

    def minimum(self, number: int, spot: int | None = None) -> int:
        """The least collateral of a position at a spot, in the unit that it is collateralised with."""
        position = self.position(number)
        price, expiry = self._terms(position)
        signature = "getMinCollateral(uint8,uint256,uint256,uint256,uint256)"
        arguments = (int(position.kind), price, expiry, spot or self.spot(), position.amount)
        return view_int(self.anvil.rpc, self.system.greek_cache, signature, *arguments)

    def is_liquidatable(self, number: int) -> bool:
        """The token's own verdict on a position at the present spot."""
        position = self.position(number)
        price, expiry = self._terms(position)
        fields = (number, position.strike, int(position.kind), position.amount, position.collateral)
        signature = "canLiquidate((uint256,uint256,uint8,uint256,uint256,uint8),uint256,uint256,uint256)"
        arguments = ((*fields, position.state), expiry, price, self.spot())
        return view_int(self.anvil.rpc, self.system.token, signature, *arguments) == 1

    def _terms(self, position: PositionView) -> tuple[int, ...]:
        signature = "getStrikeAndExpiry(uint256)"
        return self.numbers(self.system.market, signature, "uint256,uint256", position.strike)

    def dollars(self, who: str) -> int:
        return view_int(self.anvil.rpc, self.system.quote, "balanceOf(address)", who)

    def ether(self, who: str) -> int:
        return view_int(self.anvil.rpc, self.system.base, "balanceOf(address)", who)


def trade_words(receipt: dict[str, Json]) -> tuple[int, ...]:
    """The words of the one trade's event in a receipt."""
    (log,) = logged(receipt, signature_of(avalon_artifact("OptionMarket"), "Trade"))
    return cast(tuple[int, ...], decoded(["uint256"] * 20, as_str(log["data"])))


@contextmanager
def avalon_exchange(genesis: int, spec: AvalonSpec | None = None) -> Iterator[AvalonExchange]:
    """A chain of its own with the market on it."""
    with Anvil(AnvilOptions(timestamp=genesis)) as running:
        yield AvalonExchange(running, deploy(running.rpc, BOARDS, spec))
