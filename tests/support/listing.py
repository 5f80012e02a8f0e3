"""Listing one more reserve on a market that is already running, as governance would."""

from __future__ import annotations

from keeper.localchain import aave_v36, aave_v302
from keeper.localchain.aave_market import DeployedReserve, ReserveSpec
from keeper.localchain.aave_setup import Core, deployed_reserve
from keeper.localchain.deployer import Deployer
from keeper.localchain.tokens import create_feed, create_token
from tests.conftest import LocalMarket


def list_reserve(local: LocalMarket, spec: ReserveSpec) -> DeployedReserve:
    """Deploys token and feed of `spec` and lists it; the market's own record of reserves stays as it was."""
    market = local.market
    queue = Deployer(local.rpc, market.acl_admin, market.errors)
    feed = create_feed(queue, spec.price)
    if market.version == "3.0.2":
        code = aave_v302.core_artifact("mocks/tokens/MintableERC20.sol/MintableERC20")
        asset = create_token(queue, spec, code)
        core = Core(
            market.addresses_provider,
            market.pool,
            market.configurator,
            market.data_provider,
            market.libraries,
        )
        tokens = aave_v302._token_implementations(queue, market.pool)
        aave_v302._list_reserve(queue, core, tokens, spec, asset, market.acl_admin)
    else:
        asset = create_token(queue, spec, aave_v36.origin_artifact("TestnetERC20"), market.acl_admin)
        none = "0x" + "00" * 20
        a_token = queue.create(
            aave_v36.origin_artifact("ATokenInstance"), market.pool, none, market.acl_admin
        )
        debt = queue.create(aave_v36.origin_artifact("VariableDebtTokenInstance"), market.pool, none)
        aave_v36._list_reserve(queue, market.configurator, (a_token, debt), spec, asset)
    queue.call(market.oracle, "setAssetSources(address[],address[])", [asset], [feed])
    queue.flush()
    return deployed_reserve(local.rpc, market.data_provider, spec, asset, feed)
