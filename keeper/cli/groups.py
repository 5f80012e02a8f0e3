"""Groups of commands: alert channels, our own contracts, the keystore."""

from __future__ import annotations

from typing import Annotated

import typer

from keeper.cli.options import (
    DEFAULT_CONFIG,
    DEFAULT_KEYSTORE,
    ConfigOption,
    JsonOption,
    KeystoreOption,
    PasswordOption,
)

alerts_app = typer.Typer(help="Alert channels.", no_args_is_help=True)
contracts_app = typer.Typer(help="Our own contracts.", no_args_is_help=True)
key_app = typer.Typer(help="The keystore that holds the key.", no_args_is_help=True)


@alerts_app.command("test")
def alerts_test(config: ConfigOption = DEFAULT_CONFIG, json: JsonOption = False) -> None:
    """Send a test message to every configured channel."""
    from keeper.cli.alerts import test_channels as work

    work(config, as_json=json)


@contracts_app.command("deploy")
def contracts_deploy(
    contract: Annotated[
        str,
        typer.Argument(
            help="liquidator; or for one market owner-top-up (owners pay for themselves), grant (holds their "
            "rights), takeover (takes positions over), price-carrier (brings signed prices along)."
        ),
    ] = "liquidator",
    market: Annotated[
        str | None, typer.Option("--market", help="For all but liquidator: the market it is for.")
    ] = None,
    chain: Annotated[
        str | None, typer.Option("--chain", help="For liquidator: the chain, where there are several.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="For liquidator: who gets the profit; else the signer.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Sign and send; without it only the cost is told.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    json: JsonOption = False,
) -> None:
    """Deploy a contract of ours with the configured signer and write its address to the configuration."""
    from keeper.cli.contracts import deploy as work

    work(config, contract, market=market, chain=chain, owner=owner, live=live, as_json=json)


@key_app.command("new")
def key_new(
    keystore: KeystoreOption = DEFAULT_KEYSTORE,
    password_file: PasswordOption = None,
    json: JsonOption = False,
) -> None:
    """Make a new key and keep it encrypted; only the address is shown."""
    from keeper.cli.key import new as work

    work(keystore, password_file, as_json=json)


@key_app.command("import")
def key_import(
    keystore: KeystoreOption = DEFAULT_KEYSTORE,
    password_file: PasswordOption = None,
    json: JsonOption = False,
) -> None:
    """Encrypt an existing key, asked for or read from standard input (never an argument)."""
    from keeper.cli.key import import_key as work

    work(keystore, password_file, as_json=json)


@key_app.command("show")
def key_show(
    keystore: KeystoreOption = DEFAULT_KEYSTORE,
    password_file: PasswordOption = None,
    json: JsonOption = False,
) -> None:
    """Show the keystore's address, nothing else."""
    from keeper.cli.key import show as work

    work(keystore, password_file, as_json=json)
