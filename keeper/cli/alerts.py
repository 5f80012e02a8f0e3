"""`keeper alerts test`."""

from __future__ import annotations

from pathlib import Path

import typer

from keeper.alerts.channels import try_channels
from keeper.cli.output import print_json, print_table
from keeper.errors import ConfigError
from keeper.protocols.registry import load


def test_channels(config: Path, *, as_json: bool) -> None:
    settings = load(config)
    if not settings.alerts:
        raise ConfigError(
            "no alert channel is configured", where=str(config), remedy="Add [[alerts]] with a url"
        )
    results = try_channels(settings.alerts)
    if as_json:
        print_json([{"channel": name, "ok": not why, "why": why} for name, why in results])
    else:
        rows = [[name, f"NOT taken: {why}" if why else "taken"] for name, why in results]
        print_table("alert channels", ["channel", "result"], rows)
    if any(why for _, why in results):
        raise typer.Exit(3)
