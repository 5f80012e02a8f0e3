"""`keeper demo`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import typer

from keeper.cli.output import console, print_json
from keeper.cli.telling import as_object, held_object, tell_block, tell_outcome
from keeper.demo.director import Moment, play
from keeper.demo.outcome import outcome
from keeper.demo.stage import stage


def demo(*, as_json: bool, seed: int, hostile: bool = False) -> None:
    moments: list[Moment] = []
    folder = Path(tempfile.mkdtemp(prefix="keeper-demo-"))

    def tell(moment: Moment) -> None:
        moments.append(moment)
        if not as_json:
            tell_block(moment)

    with stage(seed, folder, hostile=hostile) as scene:
        if not as_json:
            console.print(
                f"Aave {scene.market.version} on a local chain, {len(scene.people.members)} accounts, "
                f"seed {seed}. The keeper runs live; "
                + ("the oracles lie, and then prices fall.\n" if hostile else "prices fall.\n")
            )
        last = play(scene, seed, tell)
        result = outcome(scene, last, {m.block: m.truth for m in moments if m.truth})
    if as_json:
        print_json({**as_object(result), "held": [held_object(m) for m in moments]})
    else:
        console.print()
        tell_outcome(result)
    if result.faults:
        typer.echo(f"what the keeper left is in {folder}", err=True)
        raise typer.Exit(1)
    shutil.rmtree(folder)
