"""A Comet over Compound's own feeds: what cannot be stale has no heartbeat, and holds no top-up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.localchain import comet_standin as comet
from keeper.localchain.anvil import ACCOUNTS, Anvil, AnvilOptions
from keeper.localchain.calldata import calldata
from keeper.localchain.comet_standin import CometStandIn
from keeper.localchain.deployer import Deployer
from keeper.localchain.tokens import create_feed
from keeper.localchain.transactions import send_batch
from keeper.model.plan import Plan
from keeper.protocols.registry import load
from tests.conformance.comet_case import LENDER, SPEC
from tests.conftest import GENESIS
from tests.integration.setup.test_init import keeper
from tests.support import comet_users
from tests.support import price_standins as make
from tests.support.keeping import BLOCK_SECONDS, keeping

pytestmark = pytest.mark.integration

OWNER = "0x" + "a1" * 20
DOLLAR = 10**8


@pytest.fixture
def built() -> Iterator[tuple[Anvil, CometStandIn, str]]:
    """A market whose base is a constant and whose WETH is a rate times ether's price; and ether's feed."""
    with Anvil(AnvilOptions(timestamp=GENESIS)) as anvil:
        queue = Deployer(anvil.rpc, ACCOUNTS[0])
        ether, rate = create_feed(queue, 2_000 * DOLLAR), create_feed(queue, DOLLAR * 5 // 4)
        feeds = {
            "USDC": make.create_constant(queue, DOLLAR),
            "WETH": make.create_multiplicative(queue, rate, make.create_scaling(queue, ether)),
        }
        queue.flush()
        at = comet.deploy(anvil.rpc, SPEC, existing_feeds=feeds)
        send_batch(anvil.rpc, comet.mint_and_supply(at, LENDER, "USDC", 10**14))
        yield anvil, at, ether


def test_init_writes_no_heartbeat_for_what_cannot_be_stale(
    built: tuple[Anvil, CometStandIn, str], tmp_path: Path
) -> None:
    anvil, at, _ = built
    done = keeper("init", at.comet, "--rpc", anvil.url, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    oracles = load(tmp_path / "keeper.toml").markets["comet"].oracles
    assert "WETH" in oracles and "USDC" not in oracles
    assert "always 100000000" in (tmp_path / "keeper.toml").read_text()


def test_a_crash_is_topped_up_at_once_whatever_the_constant_feeds_rounds(
    built: tuple[Anvil, CometStandIn, str], tmp_path: Path
) -> None:
    anvil, at, ether = built
    anvil.set_automine(False)
    anvil.set_timestamp_interval(BLOCK_SECONDS)
    protect = f'[[protect]]\nmarket = "m"\naccount = "{OWNER}"\nmax_per_day = "100000"\n'
    heartbeats = "\n".join(f"[markets.m.oracles.{each}]\nheartbeat = 3600" for each in ("WETH", "USDC"))
    market = f'protocol = "compound-v3"\naddress = "{at.comet}"\n{heartbeats}'
    k = keeping(anvil, market, tmp_path, protect)
    k.send(
        [
            *comet.mint_and_supply(at, OWNER, "WETH", 8 * 10**18),
            comet.withdraw(at, OWNER, "USDC", 16_000 * 10**6),
        ]
    )
    k.send([comet_users.mint(at, k.payer, "USDC", 10**11)])
    for _ in range(3):
        k.step()
    fall = {"from": ACCOUNTS[0], "to": ether, "data": calldata("updateAnswer(int256)", 1_850 * DOLLAR)}
    k.step([fall])  # type: ignore[list-item]
    k.step()
    [intent] = k.intents()
    assert (intent.kind, intent.state) == ("top_up", "settled"), [
        (e.blocked_reason) for e in k.episodes("top_up")
    ]
    assert Plan.from_json(intent.plan).action == "repay"
