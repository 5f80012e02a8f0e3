"""A random market with its crowd on a chain of its own, read as the keeper reads it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from keeper.book.book import Book
from keeper.chain import blocks
from keeper.chain.blocks import Head
from keeper.chain.pool import NodePool
from keeper.config import Chain
from keeper.localchain import aave_v36, aave_v302
from keeper.localchain.aave_market import AaveDeployment
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.rpc import Json
from keeper.localchain.transactions import Tx, send_batch
from keeper.margin.lending.aave.health import AccruedMarket, account_data, accrue
from keeper.margin.lending.aave.rules import V36, V302, Rules
from keeper.margin.lending.aave.state import AccountState, MarketState
from keeper.model.valuation import Valuation
from keeper.protocols.aave_v3 import valuing
from keeper.protocols.aave_v3.lens import PoolState
from keeper.protocols.aave_v3.market import AaveV3Market
from tests.support import random_market as rnd
from tests.support.books import refresh_alone

GENESIS = 1_750_000_000
COUNT = 500
RULES: Mapping[str, Rules] = {"3.0.2": V302, "3.6": V36}
_DEPLOY = {"3.0.2": aave_v302.deploy, "3.6": aave_v36.deploy}
# One block holds the whole crowd's transactions, so that they share a timestamp.
_BLOCK_GAS = 10**12


@dataclass(frozen=True)
class Crowd:
    """Accounts in a random market. `book` knows them all; refresh it with `look`."""

    anvil: Anvil
    market: AaveDeployment
    specs: rnd.Specs
    accounts: list[str]
    pool: NodePool
    book: Book[PoolState, AccountState, Valuation]
    dice: random.Random

    @property
    def rules(self) -> Rules:
        return RULES[self.market.version]

    @property
    def state(self) -> MarketState:
        return self.book.state.market

    def look(self) -> Head:
        """Bring the book to the newest block."""
        head = blocks.latest(self.pool)
        refresh_alone(self.book, head)
        return head

    def at(self, timestamp: int, rules: Rules | None = None) -> AccruedMarket:
        """The market as the book has it, with interest to `timestamp`."""
        return accrue(self.state, timestamp, rules or self.rules)

    def ours(self, timestamp: int, rules: Rules | None = None) -> dict[str, Valuation]:
        """Every account as the keeper values it."""
        market = self.at(timestamp, rules)
        return {account: valuation(account, raw, market) for account, raw in self.book.accounts.items()}

    def theirs(self, head: Head) -> dict[str, Valuation]:
        """Every account as the pool itself values it."""
        return self.book.views(head, list(self.book.accounts))

    def later(self, seconds: int) -> int:
        """Make the next block's timestamp so much later than the latest block's; returns it."""
        at = blocks.latest(self.pool).timestamp + seconds
        self.anvil.set_next_timestamp(at)
        return at

    def together(self, txs: Sequence[Tx], timestamp: int) -> list[dict[str, Json]]:
        """Receipts of all, sent in one block of this timestamp; TransactionFailedError if one reverts.

        In one block no account's action changes another account's numbers: indices move with time only.
        """
        self.anvil.set_next_timestamp(timestamp)
        receipts = send_batch(self.anvil.rpc, txs, self.market.errors)
        assert len({str(receipt["blockNumber"]) for receipt in receipts}) == 1, "they did not fit one block"
        return receipts


def valuation(account: str, raw: AccountState, market: AccruedMarket) -> Valuation:
    return valuing.valuation(account, account_data(raw, market))


@contextmanager
def crowd(version: str, seed: int, count: int = COUNT) -> Iterator[Crowd]:
    """Deploy, fill and unsettle a random market; the book has read it."""
    dice = random.Random(seed)
    specs = rnd.random_specs(dice, version)
    with Anvil(AnvilOptions(timestamp=GENESIS, gas_limit=_BLOCK_GAS)) as anvil:
        market = _DEPLOY[version](anvil.rpc, specs.reserves, specs.emodes)
        anvil.set_timestamp_interval(12)
        accounts = [rnd.address(number) for number in range(1, count + 1)]
        send_batch(anvil.rpc, list(rnd.lending(market, specs)), market.errors)
        pool = NodePool("local", Chain(chain_id=31337, rpc=[anvil.url]))
        book: Book[PoolState, AccountState, Valuation] = Book(
            AaveV3Market("crowd", market.pool, 0), pool, None, 50_000
        )
        made = Crowd(anvil, market, specs, accounts, pool, book, dice)
        rnd.send_what_goes(anvil.rpc, list(rnd.opening(dice, market, specs, accounts)))
        for seconds in (3_600, 86_400 * 20):
            made.later(dice.randint(1, seconds))
            rnd.send_what_goes(anvil.rpc, list(rnd.restlessness(dice, market, specs, accounts)))
        made.look()
        yield made
