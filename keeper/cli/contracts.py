"""`keeper contracts deploy`: OwnerTopUp for a market's pool, and the line the configuration needs."""

from __future__ import annotations

from pathlib import Path

from keeper.chain import signer as keys
from keeper.chain.pool import NodePool
from keeper.cli.output import console, print_json
from keeper.config import load
from keeper.errors import ConfigError
from keeper.service.deploying import deploy_owner_top_up


def deploy(config: Path, market: str, *, as_json: bool) -> None:
    settings = load(config)
    if market not in settings.markets:
        known = ", ".join(sorted(settings.markets))
        raise ConfigError(f"{market!r} is not a market; there is {known}", where="--market")
    if settings.signer is None:
        raise ConfigError(
            "deploying needs a key to sign with",
            where=str(config),
            remedy='Add [signer] with keystore = "path"',
        )
    chain = settings.markets[market].chain
    ceiling = int(settings.execution.max_gas_price_gwei * 10**9)
    done = deploy_owner_top_up(
        NodePool(chain, settings.chains[chain]),
        keys.load(settings.signer),
        settings.markets[market].address,
        ceiling,
    )
    if as_json:
        print_json({"market": market, "owner_top_up": done.address, "transaction": done.transaction})
        return
    console.print(f"OwnerTopUp for {market} is at {done.address} (transaction {done.transaction})")
    console.print(rf'Put this below \[markets.{market}]:  owner_top_up = "{done.address}"')
    console.print(
        "Each owner then calls setOperator(keeper, true) and setLimit(token, units a day) on it, and "
        "gives it an allowance."
    )
