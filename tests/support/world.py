"""A keeper in a test's hands: real chain, real market, real store; blocks come when the test says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keeper.localchain import aave_actions as act
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil
from keeper.localchain.calldata import calldata
from keeper.localchain.rpc import Json, as_int
from keeper.localchain.transactions import Tx, queue, send_batch
from tests.support.keeping import BLOCK_SECONDS, Keeping, loops_of

LENDER = "0x" + "11" * 20


def account(number: int) -> str:
    return f"0x{0xA11CE << 140 | number:040x}"


@dataclass
class World(Keeping):
    """A keeper of an Aave market. `step()` takes prices that the block brings."""

    market: AaveDeployment

    def send(self, *txs: Tx) -> None:  # type: ignore[override]
        send_batch(self.anvil.rpc, list(txs), self.market.errors)
        self.anvil.set_automine(False)

    @property
    def config(self) -> Path:
        return self.folder / "keeper.toml"

    @property
    def live(self) -> bool:
        return self.deciding.mode == "live"

    def queue_price(self, symbol: str, price: int) -> None:
        """A feed's answer that the next block will bring."""
        queue(self.anvil, act.set_price(self.market, self.market.reserves[symbol], price))

    def step(self, prices: dict[str, int] | None = None) -> None:  # type: ignore[override]
        for symbol, price in (prices or {}).items():
            self.queue_price(symbol, price)
        self.anvil.mine()
        self.work()

    def health(self, who: str, block: str = "latest") -> int:
        data = calldata("getUserAccountData(address)", who)
        answer = self.anvil.rpc.text("eth_call", {"to": self.market.pool, "data": data}, block)
        return int(answer[2 + 64 * 5 : 2 + 64 * 6], 16)

    def token(self, symbol: str, signature: str, *arguments: object) -> int:
        data = calldata(signature, *arguments)
        call: dict[str, Json] = {"to": self.market.reserves[symbol].asset, "data": data}
        return as_int(self.anvil.rpc.call("eth_call", call, "latest"))

    def allowance(self, symbol: str) -> int:
        return self.token(symbol, "allowance(address,address)", self.payer, self.market.pool)

    def balance(self, symbol: str) -> int:
        return self.token(symbol, "balanceOf(address)", self.payer)


def config_text(
    anvil: Anvil,
    market: AaveDeployment,
    more: str = "",
    store: str = "",
    market_more: str = "",
    rpc: str = "",
    chain_more: str = "",
) -> str:
    return f"""\
[chains.local]
chain_id = 31337
rpc = ["{rpc or anvil.url}"]
block_time = {BLOCK_SECONDS}
poll = 0.05
{chain_more}
[markets.aave]
protocol = "aave-v3"
chain = "local"
address = "{market.pool}"
{market_more}
[store]
url = "{store or "sqlite:///keeper.db"}"
[signer]
keystore = "keystore.json"
{more}
"""


def open_market(anvil: Anvil, market: AaveDeployment, *, dollars: int = 10_000_000) -> None:
    """Liquidity of every asset from a lender, and blocks that come only when asked for."""
    prices = {"WETH": 2500, "WBTC": 60000, "wstETH": 2920}
    txs: list[Tx] = []
    for symbol, reserve in market.reserves.items():
        amount = dollars * 10**reserve.decimals // prices.get(symbol, 1)
        txs += act.mint_and_supply(market, reserve, LENDER, amount)
    send_batch(anvil.rpc, txs, market.errors)
    anvil.set_automine(False)
    anvil.set_timestamp_interval(BLOCK_SECONDS)


def world(
    anvil: Anvil,
    market: AaveDeployment,
    folder: Path,
    more: str = "",
    *,
    live: bool = True,
    store: str = "",
    market_more: str = "",
    rpc: str = "",
    chain_more: str = "",
) -> World:
    """A keeper for this market; a second one in the same folder shares store and key."""
    text = config_text(anvil, market, more, store, market_more, rpc, chain_more)
    return World(anvil, folder, *loops_of(folder, text, live=live), market)
