"""Plays the demo and draws its end as docs/demo.svg, the picture in the README."""

import io
import tempfile
from pathlib import Path

from rich.console import Console

from keeper.cli import output, telling
from keeper.demo.director import Moment, play
from keeper.demo.outcome import outcome
from keeper.demo.stage import stage

SEED = 1

canvas = Console(record=True, width=150, file=io.StringIO())
output.console = canvas
telling.__dict__["console"] = canvas
with tempfile.TemporaryDirectory() as folder, stage(SEED, Path(folder)) as scene:
    moments: list[Moment] = []
    result = outcome(scene, play(scene, SEED, moments.append))
canvas.print("$ make demo   …\n")
for moment in moments[-9:]:
    telling.tell_block(moment)
canvas.print()
telling.tell_outcome(result)
canvas.save_svg("docs/demo.svg", title="keeper demo")
