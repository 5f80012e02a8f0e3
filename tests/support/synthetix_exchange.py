"""A local Synthetix v3 of two perps markets and two collaterals, and short words for what tests do on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from eth_utils.abi import event_signature_to_log_topic

from keeper.localchain import synthetix_v3_actions as actions
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.calldata import view
from keeper.localchain.rpc import Json, as_dict, as_int, as_list
from keeper.localchain.synthetix_v3 import deploy
from keeper.localchain.synthetix_v3_market import (
    WAD,
    FeedSpec,
    LocalPerp,
    LocalSynth,
    PerpSpec,
    SynthetixDeployment,
    SynthSpec,
    SystemSpec,
)
from keeper.localchain.transactions import Tx, send_batch
from tests.support.views import view_int

FEEDS = (FeedSpec("ETH", 2_000 * 10**8), FeedSpec("BTC", 30_000 * 10**8, "pyth", tolerance=3_600))
PERPS = (
    # ETH: a window of 70 ETH; BTC's price is Pyth's, and a liquidation takes none older than a minute.
    PerpSpec("ETH", skew_scale=100_000 * WAD, window=1),
    PerpSpec("BTC", skew_scale=10_000 * WAD, strict_tolerance=60),
)
SYNTHS = (SynthSpec("sETH", "ETH", skew_scale=100 * WAD),)


@dataclass(frozen=True)
class Exchange:
    """The system on a running chain."""

    anvil: Anvil
    system: SynthetixDeployment

    @property
    def eth(self) -> LocalPerp:
        return self.system.markets["ETH"]

    @property
    def btc(self) -> LocalPerp:
        return self.system.markets["BTC"]

    @property
    def seth(self) -> LocalSynth:
        return self.system.synths["sETH"]

    def send(self, *txs: Tx) -> list[dict[str, Json]]:
        """Send in order; TransactionFailedError with Synthetix' own error for the first that reverts."""
        return send_batch(self.anvil.rpc, txs, self.system.errors)

    def open_account(self, who: str, account: int, dollars: int = 0, synths: int = 0) -> None:
        """A new account with whole dollars and whole sETH as collateral."""
        steps = [actions.create_account(self.system, who, account)]
        if dollars:
            steps += actions.mint_and_deposit(self.system, who, account, dollars * WAD)
        if synths:
            steps += actions.mint_and_deposit(self.system, who, account, synths * WAD, self.seth)
        self.send(*steps)

    def commit(self, who: str, account: int, market: LocalPerp, size: int, limit: int | None = None) -> None:
        """Commit an order and let the delay pass."""
        self.send(actions.commit_order(self.system, who, account, market, size, limit))
        self.anvil.increase_time(5)

    def trade(self, who: str, account: int, market: LocalPerp, size: int, price: int, keeper: str) -> None:
        """Commit an order, which `keeper` settles at a price in whole dollars."""
        self.commit(who, account, market, size)
        rpc = self.anvil.rpc
        self.send(*actions.bring_and_settle(rpc, self.system, keeper, account, market, price * 10**8))

    def now(self) -> int:
        return as_int(as_dict(self.anvil.rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"])

    def set_price(self, symbol: str, dollars: int) -> None:
        """A feed's new price, published now."""
        self.anvil.increase_time(1)
        self.anvil.mine()
        self.send(actions.set_price(self.system, symbol, dollars * 10**8, self.now()))

    def dollars(self, who: str) -> int:
        return view_int(self.anvil.rpc, self.system.usd, "balanceOf(address)", who)

    def number(self, signature: str, *arguments: object) -> int:
        """A view of the perps market whose first value is a signed number."""
        return self.numbers(signature, "int256", *arguments)[0]

    def numbers(self, signature: str, types: str, *arguments: object) -> tuple[int, ...]:
        """A view of the perps market that answers with numbers, its types parted by commas."""
        answer = view(self.anvil.rpc, self.system.perps, signature, arguments, *types.split(","))
        return cast(tuple[int, ...], answer)

    def numbers_in_list(self, signature: str, *arguments: object) -> list[int]:
        """A view of the perps market that answers with one list of numbers."""
        answer = view(self.anvil.rpc, self.system.perps, signature, arguments, "uint256[]")
        return list(cast(tuple[int, ...], answer[0]))

    def margin(self, account: int) -> int:
        return self.number("getAvailableMargin(uint128)", account)

    def required(self, account: int) -> tuple[int, ...]:
        """Initial and maintenance margin, each with the reward, and the reward."""
        return self.numbers("getRequiredMargins(uint128)", "uint256,uint256,uint256", account)

    def is_liquidatable(self, account: int) -> bool:
        return self.number("canLiquidate(uint128)", account) == 1

    def size(self, account: int, market: LocalPerp) -> int:
        return self.number("getOpenPositionSize(uint128,uint128)", account, market.id)

    def debt(self, account: int) -> int:
        return self.number("debt(uint128)", account)


def logged(receipt: dict[str, Json], signature: str) -> list[dict[str, Json]]:
    """Logs of one event in a receipt."""
    topic = "0x" + event_signature_to_log_topic(signature).hex()
    logs = [as_dict(each) for each in as_list(receipt["logs"])]
    return [each for each in logs if as_list(each["topics"])[0] == topic]


@contextmanager
def exchange(genesis: int, system: SystemSpec | None = None) -> Iterator[Exchange]:
    """A chain of its own with the system on it."""
    with Anvil(AnvilOptions(timestamp=genesis)) as running:
        yield Exchange(running, deploy(running.rpc, FEEDS, PERPS, SYNTHS, system))
