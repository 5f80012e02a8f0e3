"""Shorts of Lyra Avalon under protection: our contract takes a position, buys a part of it back with its own
collateral and returns it, all in one transaction, within what its owner lets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils.abi import filter_abi_by_type, function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address

from keeper.chain import blocks
from keeper.chain.calls import run as answered
from keeper.cli import contracts
from keeper.contracts import artifact
from keeper.doctor.grants import grants
from keeper.localchain import lyra_avalon_actions as act
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.lyra_avalon import deploy
from keeper.localchain.lyra_avalon_market import AvalonOption
from keeper.localchain.lyra_avalon_parameters import HOUR, UNLIMITED, WAD
from keeper.localchain.rpc import RpcRefusedError
from keeper.localchain.transactions import TransactionFailedError, Tx, call_of
from keeper.margin.options.lyra_avalon.closing import closing_cost
from keeper.model.account_key import account_key
from keeper.protocols.lyra_avalon.market import AvalonOptions
from keeper.protocols.lyra_avalon.reducing import leg_of
from keeper.protocols.lyra_avalon.rights import PositionRights
from keeper.protocols.registry import load
from keeper.service import deployment
from keeper.service.markets import Market, build, pools
from tests.conformance.avalon_case import PAYER
from tests.conformance.case import protection
from tests.conftest import GENESIS
from tests.support.avalon_exchange import (
    BOARDS,
    TOTAL_COST,
    AvalonExchange,
    PositionState,
    trade_words,
)
from tests.support.keeping import BLOCK_SECONDS, MARKET, PASSWORD, Keeping, keeping, reading, valued

pytestmark = pytest.mark.integration

TRADER, OTHER = ACCOUNTS[1:3]
DEPLOYER = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
PUT, CALL, CALL_BASE = (
    AvalonOption.SHORT_PUT_QUOTE,
    AvalonOption.SHORT_CALL_QUOTE,
    AvalonOption.SHORT_CALL_BASE,
)
COLLATERAL = {CALL_BASE: 45 * WAD // 10, CALL: 10_000 * WAD, PUT: 8_000 * WAD}
SIZE = 10 * WAD
REDUCE = "reduce(uint256,uint256,uint256,bool)"
POSITION = bytes(32)


@pytest.fixture
def market() -> Iterator[AvalonExchange]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        made = AvalonExchange(anvil, deploy(anvil.rpc, BOARDS))
        made.fund(TRADER, dollars=200_000, ether=100)
        yield made


def toml(market: AvalonExchange, grant: str = "") -> str:
    text = f'protocol = "lyra-avalon"\naddress = "{market.system.market}"\nunknown_oracles = "act"'
    return text + (f'\nlyra_avalon.grant = "{grant}"' if grant else "")


def key(position: int) -> bytes:
    return position.to_bytes(32, "big")


def contract(market: AvalonExchange) -> str:
    """Ours, for this market."""
    at = market.system
    made = deployment.grant("AvalonGrant", at.market, at.token, at.adapter, at.quote, at.base)
    if market.anvil.rpc.call("eth_getCode", made.address, "latest") == "0x":
        market.send({"from": OTHER, "to": DEPLOYER, "data": made.request, "gas": 8_000_000})
    return made.address


def granted(market: AvalonExchange, position: int, perday: int = 100 * WAD, share: int = WAD // 4) -> str:
    """The contract, with its owner's leave to take it and to pay with his dollars, and so much a day."""
    at, system = contract(market), market.system
    market.send(
        call_of(TRADER, system.token, "setApprovalForAll(address,bool)", at, True),
        call_of(TRADER, system.quote, "approve(address,uint256)", at, UNLIMITED),
        call_of(TRADER, at, "setOperator(bytes32,address,bool)", key(position), PAYER, True),
        call_of(TRADER, at, "setLimit(bytes32,bytes32,uint128)", key(position), POSITION, perday),
        call_of(TRADER, at, "setShare(bytes32,uint256)", key(position), share),
    )
    return at


def watched(
    market: AvalonExchange, folder: Path, position: int, grant: str, action: str, more: str = ""
) -> Keeping:
    """A keeper that protects the position, from here on a block at a time."""
    asked = protection(str(position), action, "sETH") + more
    k = keeping(market.anvil, toml(market, grant), folder, asked, chain="native_price = 2000")
    market.anvil.set_balance(k.payer, 10**20)
    market.anvil.set_automine(False)
    market.anvil.set_timestamp_interval(BLOCK_SECONDS)
    k.step()
    return k


def near(market: AvalonExchange, kind: AvalonOption) -> int:
    """A short with a hundredth more than it must have."""
    position = market.open(TRADER, kind, SIZE, 2 * COLLATERAL[kind])
    enough = market.minimum(position) * 1015 // 1000
    market.send(act.open_position(market.system, TRADER, market.strike, kind, 0, enough, position))
    return position


def test_what_closing_costs_is_what_the_market_takes(market: AvalonExchange, tmp_path: Path) -> None:
    """Of all kinds, traded and by force, near and far from the money, early and late. The averages of the
    block before are a little older."""
    opened = {kind: market.open(TRADER, kind, SIZE, 2 * COLLATERAL[kind]) for kind in COLLATERAL}
    found = reading(market.anvil, toml(market), tmp_path)
    ways = set()
    for spot, waits in ((2_000, 60), (2_150, 40 * HOUR), (1_500, 60), (2_900, 60), (2_050, 620 * HOUR)):
        market.set_spot(spot)
        market.anvil.set_timestamp_interval(waits)
        market.anvil.mine()
        market.anvil.set_timestamp_interval(BLOCK_SECONDS)
        valued(found)
        for kind, position in opened.items():
            for amount in (WAD // 10, SIZE):
                for forced in (False, True):
                    told = cost(found, market, position, amount, forced=forced)
                    took = closed(market, position, kind, amount, forced=forced)
                    assert (told is None) == (took is None), (spot, kind, amount, forced)
                    if told is not None and took is not None:
                        assert told == pytest.approx(took, rel=1e-6)
                        ways.add((forced, spot))
    assert len(ways) == 6


def cost(found: Market, market: AvalonExchange, position: int, amount: int, *, forced: bool) -> int | None:
    """As our arithmetic has it in the next block."""
    adapter, account = found.adapter, account_key(str(position))
    assert isinstance(adapter, AvalonOptions)
    asked = PositionRights(adapter.lens, found.book.state, contract(market), account, PAYER)
    calls = asked.calls()
    answers = answered(found.book.pool, blocks.latest(found.book.pool), calls, adapter.lenses())
    terms = asked.read(dict(zip(calls, answers, strict=True))).terms
    assert terms is not None
    leg = leg_of(found.book.state, found.book.accounts[account], market.now() + BLOCK_SECONDS)
    return closing_cost(terms, leg, amount, forced=forced)


def closed(
    market: AvalonExchange, position: int, kind: AvalonOption, amount: int, *, forced: bool
) -> int | None:
    """What the market takes for it in the next block, which is then undone; None where it refuses."""
    before = market.anvil.rpc.call("evm_snapshot")
    close = act.force_close if forced else act.close_position
    left = market.position(position).collateral if amount < SIZE else 0
    try:
        [receipt] = market.send(close(market.system, TRADER, market.strike, kind, position, amount, left))
        return trade_words(receipt)[TOTAL_COST]
    except TransactionFailedError:
        return None
    finally:
        market.anvil.rpc.call("evm_revert", before)


@pytest.mark.parametrize(("kind", "spot"), [(CALL, 2_015), (CALL_BASE, 2_015)])
def test_the_least_is_bought_back_that_reaches_the_target(
    market: AvalonExchange, tmp_path: Path, kind: AvalonOption, spot: int
) -> None:
    position = near(market, kind)
    k = watched(market, tmp_path, position, granted(market, position), "reduce")
    held, dollars, ether = market.position(position), market.dollars(TRADER), market.ether(TRADER)
    k.step([act.set_spot(market.system, spot * WAD)])
    k.step()
    [intent] = k.intents()
    assert (intent.kind, intent.state) == ("reduce", "settled"), intent.reason
    now = market.position(position)
    assert 0 < now.amount < held.amount
    health = k.valuation(account_key(str(position))).health
    # The hundredth that closing might have cost more is in it.
    assert health is not None and 125 * WAD // 100 <= health < 1256 * WAD // 1000
    paid = dollars - market.dollars(TRADER) if kind == CALL_BASE else held.collateral - now.collateral
    assert 200 < paid / (held.amount - now.amount) < 300
    assert market.ether(TRADER) == ether and (kind != CALL_BASE or now.collateral == held.collateral)
    _nothing_stays(market)


def _nothing_stays(market: AvalonExchange) -> None:
    at = contract(market)
    assert market.dollars(at) == market.ether(at) == market.dollars(PAYER) == market.ether(PAYER) == 0


@pytest.mark.parametrize(("kind", "spot"), [(PUT, 1_985), (CALL_BASE, 2_015)])
def test_a_position_is_closed_whole_and_all_that_is_left_is_its_owners(
    market: AvalonExchange, tmp_path: Path, kind: AvalonOption, spot: int
) -> None:
    position = near(market, kind)
    k = watched(market, tmp_path, position, granted(market, position), "close")
    held, dollars, ether = market.position(position), market.dollars(TRADER), market.ether(TRADER)
    k.step([act.set_spot(market.system, spot * WAD)])
    k.step()
    [intent] = k.intents()
    assert (intent.kind, intent.state) == ("reduce", "settled"), intent.reason
    assert market.position(position).state is PositionState.CLOSED
    if kind == CALL_BASE:
        assert market.ether(TRADER) == ether + held.collateral and market.dollars(TRADER) < dollars
    else:
        assert dollars < market.dollars(TRADER) < dollars + held.collateral
    _nothing_stays(market)


def test_what_its_owner_does_not_let_be_done_is_said_and_not_tried(
    market: AvalonExchange, tmp_path: Path
) -> None:
    position, system = near(market, CALL_BASE), market.system
    at = granted(market, position)
    lacking: dict[str, tuple[str, Tx | None]] = {
        "contract": ("no contract is named", None),
        "leave": (
            "no right to reduce",
            call_of(TRADER, system.token, "setApprovalForAll(address,bool)", at, False),
        ),
        "operator": (
            "is no operator of it",
            call_of(TRADER, at, "setOperator(bytes32,address,bool)", key(position), PAYER, False),
        ),
        "limit": (
            "no limit is left",
            call_of(TRADER, at, "setLimit(bytes32,bytes32,uint128)", key(position), POSITION, 0),
        ),
        "share": (
            "more than the share of the price",
            call_of(TRADER, at, "setShare(bytes32,uint256)", key(position), WAD // 100),
        ),
        "dollars": (
            "lets no dollars be taken",
            call_of(TRADER, system.quote, "approve(address,uint256)", at, 0),
        ),
    }
    for lacks, (words, takes) in lacking.items():
        before = market.anvil.rpc.call("evm_snapshot")
        market.send(*([takes] if takes else []))
        folder = tmp_path / lacks
        folder.mkdir()
        k = watched(market, folder, position, at if takes else "", "reduce")
        [found] = grants(k.settings, k.deciding.markets[0], PAYER)
        assert found.verdict == ("ok" if lacks in ("share", "dollars") else "warning"), found
        k.step([act.set_spot(system, 2_015 * WAD)])
        k.step()
        assert k.intents() == [] and k.transactions() == [], lacks
        [told] = k.alerts("cannot_act")
        assert words in told.body
        assert k.alerts("unknown_name") == []
        k.store.close()
        market.anvil.rpc.call("evm_revert", before)
        market.anvil.set_automine(True)


@pytest.mark.parametrize("why", ["frozen", "expired"])
def test_a_board_that_is_frozen_or_has_expired_is_said(
    market: AvalonExchange, tmp_path: Path, why: str
) -> None:
    position = near(market, PUT)
    k = watched(market, tmp_path, position, granted(market, position), "reduce")
    if why == "frozen":
        k.step([act.set_spot(market.system, 1_985 * WAD), act.freeze_board(market.system, market.board)])
    else:
        market.anvil.set_timestamp_interval(market.board.expiry - market.now())
        k.step([act.set_spot(market.system, 1_000 * WAD)])
    k.step()
    assert k.intents() == [] and k.transactions() == []
    [told] = k.alerts("cannot_act")
    assert why in told.body


def test_the_contract_is_made_for_its_market_and_known(
    market: AvalonExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEEPER_KEYSTORE_PASSWORD", PASSWORD)
    position = near(market, PUT)
    k = keeping(market.anvil, toml(market), tmp_path, protection(str(position), "reduce", "sETH"))
    k.store.close()
    config = tmp_path / "keeper.toml"
    contracts.deploy(config, "grant", market=MARKET, live=True, as_json=True)
    settings = load(config)
    at = settings.markets[MARKET].own.ours("grant")
    assert at == contract(market)
    [run] = build(settings, pools(settings), None)
    valued(run)
    [found] = grants(settings, run, PAYER)
    assert (found.verdict, "is no operator" in found.detail) == ("warning", True), found
    other = config.read_text().replace(str(at), to_checksum_address(market.system.pool))
    config.write_text(other)
    settings = load(config)
    [run] = build(settings, pools(settings), None)
    valued(run)
    assert [each.verdict for each in grants(settings, run, PAYER)] == ["fault"]


def test_a_days_limit_holds_what_may_be_bought_back(market: AvalonExchange, tmp_path: Path) -> None:
    position = near(market, PUT)
    k = watched(market, tmp_path, position, granted(market, position, perday=2 * WAD), "reduce")
    k.step([act.set_spot(market.system, 1_985 * WAD)])
    for _ in range(3):
        k.step()
    assert market.position(position).amount == SIZE - 2 * WAD
    assert [(each.kind, each.state) for each in k.intents()] == [("reduce", "settled")]


def test_the_contract_does_nothing_else(market: AvalonExchange) -> None:
    position = near(market, PUT)
    at = granted(market, position, perday=5 * WAD)
    system = market.system

    def refused(who: str, signature: str, *arguments: object) -> str:
        data = calldata(signature, *arguments)
        with pytest.raises(RpcRefusedError) as caught:
            market.anvil.rpc.call("eth_call", {"from": who, "to": at, "data": data}, "latest")
        return caught.value.data

    long = market.open(TRADER, AvalonOption.LONG_CALL, WAD)
    market.send(
        call_of(TRADER, at, "setOperator(bytes32,address,bool)", key(long), PAYER, True),
        call_of(TRADER, at, "setLimit(bytes32,bytes32,uint128)", key(long), POSITION, WAD),
    )
    errors = {
        "NotOperator": refused(OTHER, REDUCE, position, WAD, 400 * WAD, False),
        "NotReducing": refused(PAYER, REDUCE, position, SIZE + 1, 400 * WAD, False),
        "WorsePriceThanAllowed": refused(PAYER, REDUCE, position, WAD, 501 * WAD, False),
        "LimitExceeded": refused(PAYER, REDUCE, position, 6 * WAD, 400 * WAD, False),
        "NothingToDo": refused(PAYER, REDUCE, position, 0, 0, False),
        "NotOwner": refused(PAYER, "setOperator(bytes32,address,bool)", key(position), PAYER, True),
    }
    for name, said in errors.items():
        assert selector(name) in said, (name, said)
    assert selector("NotReducing") in refused(PAYER, REDUCE, long, WAD, 400 * WAD, False)
    # No price, no trade: what the market itself refuses undoes the taking too.
    assert refused(PAYER, REDUCE, position, WAD, WAD, False)
    # Who buys the position finds nobody let in; nor does a single approval outlast its use.
    market.send(
        call_of(TRADER, system.token, "setApprovalForAll(address,bool)", at, False),
        act.approve_position(system, TRADER, at, position),
        {
            "from": PAYER,
            "to": at,
            "data": calldata(REDUCE, position, WAD, 400 * WAD, False),
            "gas": 3_000_000,
        },
    )
    assert market.position(position).amount == SIZE - WAD
    assert refused(PAYER, REDUCE, position, WAD, 400 * WAD, False)
    market.send(act.transfer_position(system, TRADER, OTHER, position))
    assert selector("NotOperator") in refused(PAYER, REDUCE, position, WAD, 400 * WAD, False)


def selector(name: str) -> str:
    """A custom error of the contract, as nodes quote it."""
    found = filter_abi_by_type("error", artifact("AvalonGrant")["abi"])
    return function_abi_to_4byte_selector(next(each for each in found if each["name"] == name)).hex()
