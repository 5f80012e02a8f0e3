"""`keeper doctor`: one line per part, with the remedy."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer
from rich.text import Text

from keeper.cli.output import print_json, print_table
from keeper.doctor.checks import run_checks
from keeper.protocols.registry import load

_MARKS = {
    "ok": Text("ok", "green"),
    "warning": Text("warning", "yellow"),
    "fault": Text("FAULT", "red"),
}


def doctor(config: Path, *, as_json: bool) -> None:
    findings = list(run_checks(load(config), config))
    if as_json:
        print_json([asdict(f) for f in findings])
    else:
        print_table(
            f"{config}",
            ["part", "", "finding", "what to do"],
            [[f.subject, _MARKS[f.verdict], f.detail, f.remedy] for f in findings],
        )
    if any(f.verdict == "fault" for f in findings):
        raise typer.Exit(1)
