"""`keeper`: the command line."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.output import setup_logging
from keeper.errors import KeeperError

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file (TOML).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
DEFAULT_CONFIG = Path("keeper.toml")


class DemoPrices(StrEnum):
    """Which day the demo plays."""

    FALLING = "falling"
    HOSTILE = "hostile"


app = typer.Typer(
    help="Watches lending and derivatives positions, values them exactly, liquidates or tops up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
alerts_app = typer.Typer(help="Alert channels.", no_args_is_help=True)
app.add_typer(alerts_app, name="alerts")


@app.command()
def scan(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Value every account of every market once and show who is below which threshold."""
    from keeper.cli.scan import scan as work

    work(config, as_json=json)


@app.command()
def explain(
    account: Annotated[str, typer.Argument(help="The account's address.")],
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Show how an account's health comes about, asset by asset, and the price at which it breaks."""
    from keeper.cli.explain import explain as work

    work(config, account, as_json=json)


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
    json: JsonOption = False,
) -> None:
    """Show what was planned and done, newest last."""
    from keeper.cli.history import history as work

    work(config, intent, as_json=json)


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
def demo(
    json: JsonOption = False,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, another market day.")] = 1,
    prices: Annotated[
        DemoPrices, typer.Option("--prices", help="`hostile`: the oracles lie; nothing wrong is done.")
    ] = DemoPrices.FALLING,
) -> None:
    """Tell the whole story on a local chain with the real Aave v3: a crash, and what the keeper does."""
    from keeper.cli.demo import demo as work

    work(as_json=json, seed=seed, hostile=prices is DemoPrices.HOSTILE)


@alerts_app.command("test")
def alerts_test(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Send a test message to every configured channel."""
    from keeper.cli.alerts import test_channels as work

    work(config, as_json=json)


def main() -> None:
    """Entry point: one line for an error the keeper knows, and its exit code."""
    setup_logging(as_json="--json" in sys.argv)
    try:
        app()
    except KeeperError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
