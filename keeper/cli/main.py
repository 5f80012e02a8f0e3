"""`keeper`: the command line."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import typer
from sqlalchemy.exc import SQLAlchemyError

from keeper.cli.groups import alerts_app, contracts_app, key_app
from keeper.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from keeper.cli.output import setup_logging
from keeper.errors import KeeperError

app = typer.Typer(
    help="Watches lending and derivatives positions, values them exactly, liquidates or tops up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(alerts_app, name="alerts")
app.add_typer(contracts_app, name="contracts")
app.add_typer(key_app, name="key")


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"keeper {version('keeper')}")
        raise typer.Exit


@app.callback()
def about(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Watches lending and derivatives positions, values them exactly, liquidates or tops up."""


@app.command()
def init(
    address: Annotated[
        str | None,
        typer.Argument(
            help="The market: an Aave v3 Pool, its addresses provider or an aToken; Morpho Blue's singleton; "
            "a Comet (Compound v3); a TroveManager (Liquity, MUSD) or a contract beside it."
        ),
    ] = None,
    rpc: Annotated[str | None, typer.Option("--rpc", help="URL of a node.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    market: Annotated[str | None, typer.Option("--market", help="What to call the market.")] = None,
    chain: Annotated[str | None, typer.Option("--chain", help="What to call the chain.")] = None,
    warn: Annotated[str | None, typer.Option("--warn", help="Health below which you are told.")] = None,
    top_up: Annotated[str | None, typer.Option("--top-up", help="Health below which to top up.")] = None,
    liquidate: Annotated[
        str | None, typer.Option("--liquidate", help="Health below which to liquidate.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="Health after a top-up.")] = None,
    protect: Annotated[
        list[str] | None, typer.Option("--protect", help="An account to protect; repeatable.")
    ] = None,
    max_per_day: Annotated[
        str | None, typer.Option("--max-per-day", help="Most to spend a protected account and day.")
    ] = None,
    keystore: Annotated[str | None, typer.Option("--keystore", help="The keystore to sign with.")] = None,
    password_file: Annotated[
        str | None, typer.Option("--password-file", help="File with the keystore's password.")
    ] = None,
    store: Annotated[str, typer.Option("--store", help="Database URL.")] = "sqlite:///keeper.db",
    alert: Annotated[list[str] | None, typer.Option("--alert", help="An Apprise URL; repeatable.")] = None,
    from_block: Annotated[
        int | None, typer.Option("--from-block", min=0, help="First block to look for accounts in.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    add: Annotated[
        bool, typer.Option("--add", help="Add the market to an existing file; its node is used unless --rpc.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take what is proposed.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a commented configuration for a market, found from its address."""
    from keeper.cli.init import init as work
    from keeper.cli.init_flags import Flags

    flags = Flags(
        address=address,
        rpc=rpc,
        market=market,
        chain=chain,
        warn=warn,
        top_up=top_up,
        liquidate=liquidate,
        target=target,
        protect=protect or [],
        max_per_day=max_per_day,
        keystore=keystore,
        password_file=password_file,
        store=store,
        alerts=alert or [],
        from_block=from_block,
    )
    work(config, flags, force=force, ask=not yes, add=add, as_json=json)


@app.command()
def scan(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Value every account of every market once and show who is below which threshold."""
    from keeper.cli.scan import scan as work

    work(config, as_json=json)


@app.command()
def audit(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Compare every account with the contract's own view, and all with its totals; exit 1 on a difference."""
    from keeper.cli.audit import compare as work

    raise typer.Exit(work(config, as_json=json))


@app.command()
def explain(
    account: Annotated[str, typer.Argument(help="The account's address.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Show how an account's health comes about, asset by asset, and the price at which it breaks."""
    from keeper.cli.explain import explain as work

    raise typer.Exit(work(config, account, as_json=json))


@app.command()
def run(
    config: ConfigOption = DEFAULT_CONFIG,
    live: Annotated[bool, typer.Option("--live", help="Sign and send. Without it: a dry run.")] = False,
    for_blocks: Annotated[
        int | None, typer.Option("--for-blocks", min=1, help="Stop after this many blocks.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Log JSON lines.")] = False,
) -> None:
    """Watch every block and act on breaches, until stopped."""
    from keeper.cli.run import run as work

    work(config, live=live, for_blocks=for_blocks, as_json=json)


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Show what the daemon last knew: chains, markets, open episodes and intents."""
    from keeper.cli.status import status as work

    work(config, as_json=json)


@app.command()
def history(
    config: ConfigOption = DEFAULT_CONFIG,
    intent: Annotated[int | None, typer.Argument(help="Show one intent's timeline.")] = None,
    csv: Annotated[
        str | None,
        typer.Option(
            "--csv", help="Write what every transaction brought and cost to this file; - prints it."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show what was planned and done, newest last."""
    from keeper.cli.history import history as work

    work(config, intent, as_json=json, csv=csv)


@app.command()
def pause(
    why: Annotated[str, typer.Option("--why", help="The reason; shown in status.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Stop all sending at once, until `keeper resume`; watching and alerts go on."""
    from keeper.cli.pause import pause as work

    work(config, why, as_json=json)


@app.command()
def resume(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """End a pause."""
    from keeper.cli.pause import resume as work

    work(config, as_json=json)


@app.command()
def doctor(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Check configuration, nodes, markets, keys, store and channels; say what to do about each fault."""
    from keeper.cli.doctor import doctor as work

    work(config, as_json=json)


@app.command()
def margin(
    model: Annotated[str | None, typer.Argument(help="A margin model's name.")] = None,
    file: Annotated[Path | None, typer.Argument(help="A portfolio as JSON.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show all models.")] = False,
    json: JsonOption = False,
) -> None:
    """Compute a portfolio's margin requirement under a model, and explain it."""
    from keeper.cli import margin as work

    if listed or model is None:
        work.models(as_json=json)
    else:
        work.margin(model, file, as_json=json)


@app.command()
def fork(
    config: ConfigOption = DEFAULT_CONFIG,
    chain: Annotated[str | None, typer.Option("--chain", help="Which chain, if there are several.")] = None,
    block: Annotated[int | None, typer.Option("--block", min=0, help="Fork at this block.")] = None,
    shock: Annotated[
        list[str] | None,
        typer.Option("--shock", help="FEED=-30%: move a feed, named by asset, description or address."),
    ] = None,
    longest: Annotated[int, typer.Option("--blocks", min=1, help="Stop after so many blocks at most.")] = 25,
    funds: Annotated[
        str, typer.Option("--funds", help="What the throw-away signer gets of each asset, base units.")
    ] = "1000000",
    json: JsonOption = False,
) -> None:
    """Run the same daemon live on a local fork of the configured chain; nothing real is touched."""
    from keeper.cli.fork import fork as work

    work(
        config,
        chain=chain,
        block=block,
        shocks=shock or [],
        longest=longest,
        funds=funds,
        as_json=json,
    )


@app.command()
def demo(
    json: JsonOption = False,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, another market day.")] = 1,
    prices: Annotated[
        Literal["falling", "hostile"],
        typer.Option("--prices", help="`hostile`: the oracles lie; nothing wrong is done."),
    ] = "falling",
    everything: Annotated[
        bool,
        typer.Option("--all", help="One crash over Aave, Morpho Blue, troves and a Comet, with one signer."),
    ] = False,
    derivatives: Annotated[
        bool,
        typer.Option(
            "--derivatives", help="Perpetuals and options: a squeeze, a crash, and a week of funding."
        ),
    ] = False,
    world: Annotated[
        str | None,
        typer.Option("--world", help="A node or chain as people have it (emulated); `list` names them."),
    ] = None,
) -> None:
    """Tell the whole story on a local chain with the real Aave v3: a crash, and what the keeper does."""
    from keeper.cli.demo import demo as work
    from keeper.cli.demo import list_worlds
    from keeper.cli.demo_all import demo_all
    from keeper.cli.demo_derivatives import demo_derivatives

    if derivatives and (everything or prices == "hostile" or world is not None):
        raise typer.BadParameter("is a day of its own", param_hint="--derivatives")
    if everything and prices == "hostile":
        raise typer.BadParameter("hostile prices are played on Aave alone", param_hint="--all")
    if world is not None and (everything or prices == "hostile"):
        raise typer.BadParameter("goes with the ordinary day only", param_hint="--world")
    if world == "list":
        list_worlds(as_json=json)
    elif derivatives:
        demo_derivatives(as_json=json)
    elif everything:
        demo_all(as_json=json, seed=seed)
    else:
        work(as_json=json, seed=seed, hostile=prices == "hostile", world=world)


def main() -> None:
    """Entry point: one line for an error the keeper knows, and its exit code."""
    # A report says it all itself; a daemon's events are what its operator reads.
    level = logging.WARNING if "doctor" in sys.argv[1:2] else logging.INFO
    setup_logging(as_json="--json" in sys.argv, level=level)
    try:
        app()
    except KeeperError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        typer.echo(f"error: store: {cause}. `keeper doctor` looks at it", err=True)
        sys.exit(3)
    except BrokenPipeError:
        # Whoever read our output has enough of it (`keeper scan | head`).
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
