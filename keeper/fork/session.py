"""The rehearsal itself: fork, fund, move the feeds, and let the same daemon work at every block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from eth_account import Account
from sqlmodel import col, select

from keeper.alerts.deliver import Deliverer
from keeper.chain import blocks
from keeper.chain.node import Node
from keeper.chain.pool import NodePool
from keeper.chain.signer import Signer
from keeper.config import Settings
from keeper.errors import ConfigError, KeeperError
from keeper.execution import journal, transactions
from keeper.fork import funds, ground, shocks
from keeper.fork.ground import ForkAsset
from keeper.fork.known import copy_known
from keeper.fork.outcome import Fork, ForkOutcome, outcome
from keeper.fork.settings import answering_node, choose_chain, local_only
from keeper.fork.shocks import PriceMove, Shock
from keeper.localchain.anvil import Anvil, AnvilOptions
from keeper.localchain.liquidator import deploy_liquidator
from keeper.model.money import money
from keeper.model.plan import NATIVE
from keeper.service.daemon import Daemon
from keeper.service.markets import build, pools
from keeper.store.database import Store, open_store
from keeper.store.tables.journal import Intent

NATIVE_WEI = 1000 * 10**18
# Blocks in which nothing is under way and nothing new began, after which a rehearsal ends.
QUIET_BLOCKS = 3
# The first block may need a discovery of the whole market.
PATIENCE_FIRST, PATIENCE = 3600.0, 300.0


@dataclass(frozen=True, slots=True)
class ForkOptions:
    """What to rehearse. `funds` in whole units of account per asset; `block` None forks at the newest."""

    chain: str | None = None
    block: int | None = None
    shocks: tuple[Shock, ...] = ()
    longest: int = 25
    funds: Decimal = Decimal(1_000_000)


def rehearse(
    settings: Settings, asked: ForkOptions, folder: Path, tell: Callable[[str], None]
) -> ForkOutcome:
    """Fork the configured chain, run the daemon on it and shock it; returns what the keeper did.

    Only reads reach the configured node, and nothing reaches the configured store, key or channels.
    """
    with _fork(settings, asked, folder) as fork:
        tell(f"forked {fork.chain} at block {fork.forked_at}; signer {fork.signer.address} (throw-away)")
        before = _prices(fork)
        with _daemon(fork) as (daemon, running):
            fork.anvil.mine()
            _worked(fork, daemon, running, PATIENCE_FIRST)
            if fork.moves:
                shocks.announce(fork.anvil, fork.moves)
            quiet = 0
            for _ in range(asked.longest):
                seen = _newest_intent(fork.store)
                block = fork.anvil.mine()
                _worked(fork, daemon, running, PATIENCE)
                tell(f"block {block}: {_newest_intent(fork.store) - seen} intents planned")
                idle = not _under_way(fork) and _newest_intent(fork.store) == seen
                quiet = quiet + 1 if idle else 0
                if quiet == QUIET_BLOCKS:
                    break
        return outcome(fork, before, _prices(fork))


@contextmanager
def _fork(settings: Settings, asked: ForkOptions, folder: Path) -> Iterator[Fork]:
    chain = choose_chain(settings, asked.chain)
    url = answering_node(settings, chain)
    _require_come(Node(url, settings.chains[chain].timeout), asked.block)
    options = AnvilOptions(
        chain_id=settings.chains[chain].chain_id,
        fork_url=url,
        fork_block=asked.block,
        log=folder / "anvil.log",
    )
    with Anvil(options) as anvil:
        pool = pools(local_only(settings, chain, anvil.url, folder, 1))[chain]
        head = blocks.latest(pool)
        own = local_only(settings, chain, anvil.url, folder, _block_time(settings, chain, pool, head))
        key = Account.create()
        own = _with_own_contract(own, chain, anvil, key.address)
        store = open_store(own.store.url)
        try:
            copy_known(settings.store.url, store, list(own.markets), head.number)
            nodes = pools(own)
            assets = ground.survey(nodes[chain], build(own, nodes, None, read_only=True))
            moves = _moves(anvil, assets, asked.shocks)
            shocks.put_in_place(anvil, moves)
            fork = Fork(anvil, chain, own, store, Signer(key), assets, moves, forked_at=head.number)
            anvil.set_timestamp_interval(int(own.chains[chain].block_time or 1))
            _fund(fork, asked.funds)
            anvil.set_automine(False)
            yield fork
        finally:
            store.close()


def _require_come(node: Node, block: int | None) -> None:
    """Raise ConfigError for a block that is still to come."""
    if block is None:
        return
    newest = int(node.call("eth_blockNumber", []), 16)
    if block > newest:
        raise ConfigError(
            f"block {block} has not come: the chain is at {newest}",
            where="--block",
            remedy="Name an earlier one, or leave it out for the newest",
        )


def _with_own_contract(own: Settings, chain: str, anvil: Anvil, key: str) -> Settings:
    """The settings with a Liquidator that works for the throw-away key, where one is configured."""
    forked = own.chains[chain]
    if forked.liquidator is None:
        return own
    contract = deploy_liquidator(anvil.rpc, key, key)
    return own.model_copy(update={"chains": {chain: forked.model_copy(update={"liquidator": contract})}})


def _moves(anvil: Anvil, assets: list[ForkAsset], wanted: Sequence[Shock]) -> list[PriceMove]:
    if not wanted:
        return []
    symbols = {each.asset: each.symbol for each in assets}
    return shocks.resolve(anvil, wanted, symbols, ground.feeds(anvil.rpc, assets))


def _block_time(settings: Settings, chain: str, pool: NodePool, head: blocks.Head) -> int:
    """Seconds between blocks, at least one: configured, or between the newest two."""
    fixed = settings.chains[chain].block_time
    if fixed is not None:
        return max(int(fixed), 1)
    before = blocks.by_number(pool, head.number - 1) if head.number else None
    return max(head.timestamp - before.timestamp, 1) if before else 1


def _fund(fork: Fork, amount: Decimal) -> None:
    """Give the throw-away signer gas money and every asset that has a price."""
    who = fork.signer.address
    fork.anvil.set_balance(who, NATIVE_WEI)
    for each in fork.assets:
        if each.price and each.asset != NATIVE and each.asset not in fork.given:
            units = each.rate.base_down(money(amount)) * each.unit // each.price
            fork.given[each.asset] = funds.give(fork.anvil, each.asset, who, units, each.holder)


@contextmanager
def _daemon(fork: Fork) -> Iterator[tuple[Daemon, Future[None]]]:
    """The daemon of `keeper run --live`, with the throw-away signer, until the block ends."""
    daemon = Daemon(fork.settings, fork.store, fork.signer.address, fork.signer)
    daemon.deliverer = Deliverer(fork.store, [], fork.settings.service.alerts_file, local_only=True)
    with ThreadPoolExecutor(1, "fork-daemon") as threads:
        running = threads.submit(daemon.run)
        try:
            yield daemon, running
        finally:
            daemon.stop()
            running.result()


def _worked(fork: Fork, daemon: Daemon, running: Future[None], patience: float) -> None:
    """Wait until both loops have worked at the newest block."""
    block = fork.anvil.block_number()
    limit = time.monotonic() + patience
    while daemon.chains[fork.chain].acted_at != block:
        if running.done():
            return  # it ended with an error of its own, which is raised when the daemon is left
        if time.monotonic() > limit:
            raise KeeperError(
                f"the daemon did not get past block {block} in {patience:.0f} s",
                where=f"fork of {fork.chain}",
                remedy="See the lines above; a slow or refusing node is the usual cause",
            )
        time.sleep(0.02)


def _prices(fork: Fork) -> dict[tuple[str, str], int]:
    """What each token is worth in each market that knows it, the first market first."""
    nodes = pools(fork.settings)
    markets = build(fork.settings, nodes, None, read_only=True)
    return {(each.market, each.asset): each.money for each in ground.survey(nodes[fork.chain], markets)}


def _newest_intent(store: Store) -> int:
    with store.session() as session:
        return session.exec(select(Intent.id).order_by(col(Intent.id).desc())).first() or 0


def _under_way(fork: Fork) -> bool:
    """Whether an intent is open, or a transaction not final."""
    with fork.store.session() as session:
        moving = transactions.live(session, fork.chain, fork.signer.address)
        return bool(moving) or journal.any_open(session, fork.chain, "live")
