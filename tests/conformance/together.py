"""Several protocols' markets on one chain, one signer and one exchange for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keeper.localchain import uniswap_v3 as uniswap
from keeper.localchain.anvil import Anvil
from keeper.localchain.liquidator import deploy_liquidator
from keeper.localchain.transactions import Tx, send_batch
from keeper.localchain.uniswap_v3 import PoolSpec, Token, UniswapDeployment
from tests.conformance.aave_case import AaveCase
from tests.conformance.avalon_case import AvalonCase
from tests.conformance.case import Case
from tests.conformance.comet_case import CometCase
from tests.conformance.exchange import PAYER
from tests.conformance.morpho_case import MorphoCase
from tests.conformance.perp_case import PerpCase
from tests.conformance.synthetix_case import SynthetixCase
from tests.conformance.trove_case import TroveCase
from tests.support.keeping import MARKET

DOLLARS = 20_000_000


@dataclass
class Together:
    """`cases` by market name; the first is called as the suite calls its only one."""

    anvil: Anvil
    cases: dict[str, Case]
    pools: Sequence[PoolSpec]
    deployed: UniswapDeployment
    liquidator: str

    def tokens(self) -> dict[str, Token]:
        return _tokens(self.cases)

    def first(self) -> str:
        return self.cases[MARKET].toml()

    def others(self) -> str:
        """The sections of all markets but the first."""
        return "".join(
            f'[markets.{name}]\nchain = "local"\n{case.toml()}\n'
            for name, case in self.cases.items()
            if name != MARKET
        )

    def venue(self) -> str:
        hops = ", ".join(f'"{token.address}"' for token in self.tokens().values())
        # The chain's own coin is what troves hold here; the markets beside them know another's price.
        return f"""
liquidator = "{self.liquidator}"
native_price = "native"
[chains.local.venues.uniswap_v3]
factory = "{self.deployed.factory}"
hops = [{hops}]
"""

    def follow(self) -> None:
        """Arbitrage moves the pools to all markets' prices."""
        rpc, tokens = self.anvil.rpc, self.tokens()
        send_batch(rpc, [tx for spec in self.pools for tx in uniswap.move(rpc, self.deployed, spec, tokens)])
        self.anvil.set_automine(False)

    def fall(self) -> list[Tx]:
        return [tx for case in self.cases.values() for tx in case.fall()]

    def hold(self) -> list[Tx]:
        return [tx for case in self.cases.values() for tx in case.hold()]


def together(anvil: Anvil) -> Together:
    """Aave, Morpho Blue, a trove system, (our stand-in of) Compound v3, Synthetix v3, Lyra Avalon, and Perp
    v2, for whose takeovers the signer has dollars."""
    # It lets half an hour pass, in which others' prices would grow old.
    takeovers = PerpCase(anvil)
    send_batch(anvil.rpc, takeovers.fund(PAYER))
    cases: dict[str, Case] = {
        MARKET: AaveCase(anvil, "3.0.2"),
        "morpho": MorphoCase(anvil),
        "comet": CometCase(anvil),
        "troves": TroveCase(anvil),
        "perps": SynthetixCase(anvil),
        "options": AvalonCase(anvil),
        "takeovers": takeovers,
    }
    pools = [
        PoolSpec(f"{name} {symbol}", f"{name} USDC", 3000, DOLLARS)
        for name, case in cases.items()
        if "USDC" in case.tokens()
        for symbol in case.tokens()
        if symbol != "USDC"
    ]
    deployed = uniswap.deploy(anvil.rpc, _tokens(cases), pools)
    return Together(anvil, cases, pools, deployed, deploy_liquidator(anvil.rpc, PAYER, PAYER))


def _tokens(cases: dict[str, Case]) -> dict[str, Token]:
    return {
        f"{name} {symbol}": token for name, case in cases.items() for symbol, token in case.tokens().items()
    }
