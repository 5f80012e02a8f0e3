"""Deploy Lyra Avalon from its npm package: the real options exchange, with one market.

Synthetix v2, whose dollar and token it trades and whose rates it reads, is the package's own test double.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from keeper.localchain.anvil import ACCOUNTS
from keeper.localchain.deployer import Deployer
from keeper.localchain.lyra_avalon_market import AvalonDeployment, AvalonSpec, BoardSpec, LocalBoard
from keeper.localchain.lyra_avalon_setup import (
    connect_contracts,
    connect_double,
    create_contracts,
    create_double,
    list_board,
    provide_liquidity,
    set_parameters,
)
from keeper.localchain.lyra_avalon_sources import avalon_errors
from keeper.localchain.rpc import LocalRpc, as_dict, as_int


def deploy(
    rpc: LocalRpc,
    boards: Sequence[BoardSpec],
    spec: AvalonSpec | None = None,
    deployer: str = ACCOUNTS[0],
) -> AvalonDeployment:
    """Deploy a market with liquidity and boards; `deployer` owns all of it. The same inputs on a fresh chain
    give the same addresses."""
    terms = spec or AvalonSpec()
    queue = Deployer(rpc, deployer, avalon_errors())
    double = create_double(queue, terms.symbol)
    contracts = create_contracts(queue, terms.symbol)
    connect_double(queue, double, contracts, terms)
    connect_contracts(queue, contracts, double)
    set_parameters(queue, contracts, terms)
    provide_liquidity(queue, contracts, double.quote, terms.liquidity)
    queue.flush()

    now = as_int(as_dict(rpc.call("eth_getBlockByNumber", "latest", False))["timestamp"])
    listed: list[LocalBoard] = []
    for each in boards:
        strike = 1 + sum(len(board.strikes) for board in listed)
        board = list_board(queue, contracts.market, each, now + each.lasts, len(listed) + 1, strike)
        listed.append(board)
    queue.flush()
    return AvalonDeployment(
        **asdict(contracts),
        **asdict(double),
        symbol=terms.symbol,
        owner=deployer,
        boards=tuple(listed),
        errors=avalon_errors(),
    )
