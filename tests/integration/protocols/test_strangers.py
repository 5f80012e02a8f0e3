"""Markets that a stranger made in the singleton: his tokens, his oracle, his aims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.config import Chain, MarketSettings
from keeper.localchain import morpho_blue as morpho
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.deployer import Deployer
from keeper.localchain.morpho_blue import PARAMS, LocalPair
from keeper.localchain.solc import artifacts
from keeper.localchain.tokens import create_zero_first
from keeper.localchain.transactions import Tx, send_batch
from keeper.model.purse import Purse
from keeper.service.markets import _adapter
from tests.conformance.morpho_case import WAD, MorphoCase, mint
from tests.conftest import GENESIS
from tests.support.keeping import BLOCK_SECONDS, Keeping, keeping, reading, valued

pytestmark = pytest.mark.integration

STRANGER = ACCOUNTS[2]
ONE = "0x" + "c3" * 20
DOLLARS_EACH = 2_500


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with Anvil(AnvilOptions(timestamp=GENESIS)) as running:
        yield running


def strange_market(case: MorphoCase, symbol: str = "FAKE", price: int = DOLLARS_EACH) -> LocalPair:
    """Dollars lent against a token that he mints, at the price that he says."""
    real = case.at.pairs[0]
    queue = Deployer(case.anvil.rpc, STRANGER)
    token = create_zero_first(queue, symbol, symbol, 18)
    oracle = queue.create(artifacts(morpho.SOURCES)["OracleMock"])
    queue.call(oracle, "setPrice(uint256)", price * 10**24)
    params = (real.loan, token, oracle, real.irm, real.lltv)
    queue.call(case.at.morpho, f"createMarket({PARAMS})", params)
    queue.flush()
    return LocalPair("0x" + keccak(encode([PARAMS], [params])).hex(), *params)


def borrow_there(case: MorphoCase, pair: LocalPair, dollars: int = 100_000) -> None:
    """His dollars, borrowed by himself against all that may be borrowed."""
    tokens = dollars * WAD // DOLLARS_EACH
    most = dollars * 10**6 * pair.lltv // WAD
    send_batch(
        case.anvil.rpc,
        [
            mint(pair.loan, STRANGER, 10 * most),
            morpho.approve(STRANGER, pair.loan, case.at.morpho, 10 * most),
            morpho.supply(case.at, pair, STRANGER, 10 * most),
            mint(pair.collateral, STRANGER, tokens),
            morpho.approve(STRANGER, pair.collateral, case.at.morpho, tokens),
            morpho.supply_collateral(case.at, pair, STRANGER, tokens),
            morpho.borrow(case.at, pair, STRANGER, most * 999 // 1000),
        ],
    )


def opened(case: MorphoCase, folder: Path, more: str, *, dollar: bool = True) -> Keeping:
    """With `dollar` the configuration says what one is worth."""
    case.anvil.set_automine(False)
    case.anvil.set_timestamp_interval(BLOCK_SECONDS)
    said = case.toml().replace("{ WETH", '{ USDC = "1", WETH') if dollar else case.toml()
    k = keeping(case.anvil, said + more, folder)
    k.send(case.fund(k.payer))
    k.step()
    return k


def cheaper_by_a_tenth(case: MorphoCase, pair: LocalPair) -> list[Tx]:
    return [morpho.set_price(case.at, pair, DOLLARS_EACH * 10**24 * 9 // 10)]


def test_the_signers_dollars_do_not_buy_a_strangers_token(anvil: Anvil, tmp_path: Path) -> None:
    """With `untrusted_markets = "act"` this keeper pays 85,914 dollars for tokens that cost nothing."""
    case = MorphoCase(anvil)
    case.near(ONE)
    fake = strange_market(case)
    borrow_there(case, fake)
    k = opened(case, tmp_path, '\nmorpho_blue.untrusted_markets = "watch"')
    k.step(cheaper_by_a_tenth(case, fake))
    assert [e.account for e in k.episodes("liquidate")] == [STRANGER.lower() + fake.id[2:]]
    assert k.intents() == []
    [told] = k.alerts("cannot_act")
    assert "anybody can have made this market" in told.body and fake.id in told.body


def test_a_listed_market_is_acted_on(anvil: Anvil, tmp_path: Path) -> None:
    case = MorphoCase(anvil)
    account = case.near(ONE)
    k = opened(
        case,
        tmp_path,
        f'\nmorpho_blue.market_ids = ["{case.at.pairs[0].id}"]\nmorpho_blue.untrusted_markets = "watch"',
    )
    k.step(case.hold())
    k.step(case.fall())
    assert {i.account for i in k.intents()} == {account}


def test_a_loan_token_of_unknown_worth_is_not_counted_as_a_dollar(anvil: Anvil, tmp_path: Path) -> None:
    case = MorphoCase(anvil)
    account = case.near(ONE)
    listed = f'\nmorpho_blue.market_ids = ["{case.at.pairs[0].id}"]\nmorpho_blue.untrusted_markets = "watch"'
    k = opened(case, tmp_path, listed, dollar=False)
    k.step(case.hold())
    k.step(case.fall())
    assert k.intents() == []
    [episode] = [each for each in k.episodes("liquidate") if each.account == account]
    assert "what a whole USDC is worth is not said" in episode.blocked_reason


def test_a_strangers_token_does_not_make_gas_look_cheap(anvil: Anvil, tmp_path: Path) -> None:
    """It calls itself WETH, and his oracle says that it costs a dollar."""
    case = MorphoCase(anvil)
    cheap = strange_market(case, "WETH", 1)
    for unlisted, price in (("watch", None), ("act", 10**8)):
        run = reading(anvil, case.toml() + f'\nmorpho_blue.untrusted_markets = "{unlisted}"', tmp_path)
        valued(run)
        state = replace(run.book.state, pairs={cheap.id: run.book.state.pairs[cheap.id]})
        facts = Purse({}, {cheap.collateral.lower(): "WETH"})
        assets = run.adapter.planner.assets(state, facts).values()
        assert [a.price for a in assets if a.symbol == "WETH"] == ([] if price is None else [price])


ODD_CODE = {
    "answers nothing": "00",
    "answers half a word": "60106000f3",
    "burns all gas": "5b600056",
    "answers a megabyte": "620fffff6000f3",
    "answers the greatest number": "5f195f5260205ff3",
}


@pytest.mark.parametrize("code", ODD_CODE.values(), ids=ODD_CODE)
@pytest.mark.parametrize("what", ["oracle", "loan", "collateral"])
def test_an_odd_contract_of_one_market_does_not_blind_the_keeper_to_others(
    anvil: Anvil, tmp_path: Path, what: str, code: str
) -> None:
    case = MorphoCase(anvil)
    account = case.near(ONE)
    queue = Deployer(anvil.rpc, STRANGER)
    odd = {name: create_zero_first(queue, name, name, 18) for name in ("loan", "collateral", "oracle")}
    real = case.at.pairs[0]
    params = (odd["loan"], odd["collateral"], odd["oracle"], real.irm, real.lltv)
    queue.call(case.at.morpho, f"createMarket({PARAMS})", params)
    queue.flush()
    anvil.set_code(odd[what], bytes.fromhex(code))
    k = opened(case, tmp_path, '\nmorpho_blue.untrusted_markets = "watch"')
    k.step(case.fall())
    assert k.alerts("market_failed") == []
    assert [e.account for e in k.episodes("liquidate")] == [account]


def test_the_rule_for_unlisted_markets_depends_on_who_else_is_there() -> None:
    market = MarketSettings(protocol="morpho-blue", chain="c", address="0x" + "00" * 20)
    public = Chain(chain_id=1, rpc=["http://localhost"])
    local = Chain(chain_id=31337, rpc=["http://localhost"])
    assert [vars(_adapter("m", market, c))["_trusts_all"] for c in (public, local)] == [False, True]
