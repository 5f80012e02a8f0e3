"""`keeper contracts deploy`: deploy our contracts and write their addresses into the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from keeper.chain import blocks
from keeper.chain import signer as keys
from keeper.chain.calls import run
from keeper.chain.pool import NodePool
from keeper.cli.output import console, print_json
from keeper.cli.run import signer_of
from keeper.config import MarketSettings, Settings, SignerSettings, table_of
from keeper.config.old_keys import Place, words
from keeper.config.values import checked_address
from keeper.errors import ConfigError, KeeperError
from keeper.protocols.registry import PROTOCOLS, load
from keeper.service import deployment, redeployment
from keeper.service.deployment import Contract, Deployed
from keeper.service.execution import actor_of
from keeper.service.planning.gas_ceilings import gas_ceilings, gas_level
from keeper.setup.config_file import check, write
from keeper.setup.toml_edit import with_value
from keeper.store.database import open_store

LACKING = {
    "owner-top-up": "an owner's own money cannot top up",
    "grant": "there are no rights to give",
    "takeover": "nothing is taken over",
    "price-carrier": "no prices must be brought",
}
"""Our contracts that are made for one market, and why a market may not need one."""
NAMES = ("liquidator", *LACKING)


def deploy(
    config: Path,
    name: str,
    *,
    market: str | None = None,
    chain: str | None = None,
    owner: str | None = None,
    live: bool,
    as_json: bool,
) -> None:
    if name not in NAMES:
        raise ConfigError(
            f"{name!r} is no contract of ours",
            where="contracts deploy",
            remedy=f"Give {', '.join(NAMES[:-1])} or {NAMES[-1]}",
        )
    profit_to = None if owner is None else _address(owner)
    settings = load(config)
    signer = signer_of(settings, config, "deploying")
    payer = keys.public_address(signer)
    if payer is None:
        raise ConfigError("does not name its address", where=str(signer.keystore))
    chain, contract, place = _wanted(settings, name, market, chain, profit_to or payer, payer)
    moves = redeployment.moves(settings, chain, name, market, contract.address, payer)
    text = with_value(config.read_text(), place, contract.address)
    for entry, address in moves.allowed:
        text = with_value(text, entry, address)
    _would_load(config, text)
    pool = NodePool(chain, settings.chains[chain])
    there = deployment.is_there(pool, contract)
    if not live and not there:
        gas = deployment.cost(pool, payer, contract)
        missing = deployment.gas_money_missing(
            pool, payer, gas, gas_ceilings(settings.of_chain(chain), gas_level(pool)).price
        )
        _tell_dry(contract, gas, missing, moves.steps, as_json=as_json)
        return
    done = Deployed(contract.address, "") if there else _deploy(settings, pool, payer, signer, contract)
    _write(config, text, place, done.address)
    if as_json:
        told = {str(place[-1]): done.address, "transaction": done.transaction, "chain": chain}
        print_json(told | ({"steps": list(moves.steps)} if moves.steps else {}))
        return
    how = f"transaction {done.transaction}" if done.transaction else "it was there already"
    console.print(f"{contract.name} is at {done.address} ({how})")
    console.print(f"{config} says so now, as {words(place)}")
    _tell_steps(moves.steps)
    if name == "owner-top-up" and not moves.steps:
        console.print(
            "Each owner then calls setOperator(keeper, true) and setLimit(token, units a day) on it, and "
            "gives it an allowance."
        )
    if name == "grant" and not moves.steps:
        console.print(
            "Each account's owner then gives it the protocol's rights, and calls on it setOperator(account, "
            "keeper, true), setLimit(account, position, size a day) and setShare(account, share of price)."
        )


def _wanted(
    settings: Settings, name: str, market: str | None, chain: str | None, owner: str, payer: str
) -> tuple[str, Contract, Place]:
    """The chain, the contract, and where the configuration names it."""
    if name == "liquidator":
        found = deployment.chains_with(list(settings.chains), chain)
        return found, deployment.liquidator(owner, payer), ("chains", found, "liquidator")
    market, of = _market(settings, name, market)
    made = {
        "owner-top-up": lambda: deployment.owner_top_up(of.address),
        "grant": lambda: deployment.grant(
            PROTOCOLS[of.protocol].grant, of.address, *_parts(settings, market, of)
        ),
        "takeover": lambda: deployment.takeover(of.address, owner, payer),
        "price-carrier": deployment.price_carrier,
    }[name]()
    return (
        of.chain,
        made,
        settings.written_at(("markets", market, table_of(of.protocol), of.own.contracts[name])),
    )


def _market(settings: Settings, name: str, market: str | None) -> tuple[str, MarketSettings]:
    """The market that a contract is for, one of those that need it."""
    fits = sorted(each for each, of in settings.markets.items() if name in of.own.contracts)
    remedy = f"Name one of {', '.join(fits)}" if fits else f"In all configured markets {LACKING[name]}"
    if market is None:
        raise ConfigError("is missing: the contract is for one market", where="--market", remedy=remedy)
    if market not in settings.markets:
        raise ConfigError(f"{market!r} is not a market", where="--market", remedy=remedy)
    of = settings.markets[market]
    if market not in fits:
        what = f"{market!r} is {of.protocol}, where {LACKING[name]}"
        raise ConfigError(what, where="--market", remedy=remedy)
    return market, of


def _parts(settings: Settings, market: str, of: MarketSettings) -> tuple[str, ...]:
    """What the contract must know besides the market, read from the market itself."""
    spec = PROTOCOLS[of.protocol]
    if not spec.grant_parts:
        return ()
    pool, adapter = NodePool(of.chain, settings.chains[of.chain]), spec.adapter.of(market, of)
    [answer] = run(pool, blocks.latest(pool), [adapter.market_call(())], adapter.lenses())
    return spec.grant_parts(adapter.read_market(answer))


def _address(owner: str) -> str:
    try:
        return checked_address(owner)
    except ValueError as error:
        raise ConfigError(f"{owner!r} {error}", where="--owner") from None


def _would_load(config: Path, text: str) -> None:
    """Check, before any payment, that the configuration with the address in it is valid."""
    try:
        check(config, text)
    except ConfigError as error:
        remedy = f"{error.remedy}. Nothing was sent" if error.remedy else "Nothing was sent: correct it first"
        raise ConfigError(error.what, where=error.where, remedy=remedy) from None


def _write(config: Path, text: str, place: Place, address: str) -> None:
    """Write the configuration. A deployed contract is paid for: if writing fails, its address is reported."""
    try:
        write(config, text, force=True)
    except KeeperError as error:
        raise ConfigError(
            error.what,
            where=error.where,
            remedy=f'It is deployed: set {words(place)} = "{address}" by hand',
        ) from None


def _deploy(
    settings: Settings, pool: NodePool, payer: str, signer: SignerSettings, contract: Contract
) -> Deployed:
    store = open_store(settings.store.url)
    try:
        actor = actor_of(settings, pool, store, payer, keys.load(signer))
        actor.fit()
        assert actor.sender is not None
        return deployment.deploy(actor.sender, contract)
    finally:
        store.close()


def _tell_steps(steps: Sequence[str]) -> None:
    for number, step in enumerate(steps, 1):
        console.print(f"  {number}. {step}", highlight=False)


def _tell_dry(contract: Contract, gas: int, missing: str, steps: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        told = {"address": contract.address, "gas": gas, "deployed": False, "missing": missing}
        print_json(told | ({"steps": list(steps)} if steps else {}))
        return
    console.print(f"{contract.name} would be at {contract.address} and take {gas:,} gas.")
    if missing:
        console.print(missing, highlight=False)
    if steps:
        console.print("It takes the place of another. Afterwards:")
        _tell_steps(steps)
    console.print("Nothing was signed: give the command with --live to deploy it.")
