"""`keeper demo`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.table import Table

from keeper.cli.output import console, print_json
from keeper.cli.telling import as_object, held_object, leave, tell_block, tell_outcome
from keeper.demo.director import Moment, play
from keeper.demo.outcome import outcome
from keeper.demo.stage import stage
from keeper.errors import ConfigError
from keeper.localchain.world.mixture import mixture
from keeper.localchain.world.profiles import PROFILES, Profile


def list_worlds(*, as_json: bool) -> None:
    """List every profile, with what it does and where that was seen."""
    rows = [{"name": name, "does": p.title, "seen": p.seen} for name, p in PROFILES.items()]
    if as_json:
        print_json(rows)
        return
    table = Table("name", "what its nodes or chain do (emulated before Anvil)", "seen in")
    for row in rows:
        table.add_row(*row.values())
    console.print(table)


def _profile(name: str, seed: int) -> Profile:
    """The profile of this name; ConfigError where there is none."""
    if name == "mixture":
        return mixture(seed)
    found = PROFILES.get(name)
    if found is None:
        raise ConfigError(
            f"{name!r} is no world",
            where="--world",
            remedy=f"Take one of: {', '.join(PROFILES)}; or mixture, by --seed",
        )
    return found


def demo(*, as_json: bool, seed: int, hostile: bool = False, world: str | None = None) -> None:
    profile = _profile(world, seed) if world is not None else None
    moments: list[Moment] = []
    folder = Path(tempfile.mkdtemp(prefix="keeper-demo-"))

    def tell(moment: Moment) -> None:
        moments.append(moment)
        if not as_json:
            tell_block(moment)

    with stage(seed, folder, hostile=hostile, world=profile) as scene:
        if not as_json:
            console.print(
                f"Aave {scene.market.version} on a local chain, {len(scene.people.members)} accounts, "
                f"seed {seed}. The keeper runs live; "
                + ("the oracles lie, and then prices fall.\n" if hostile else "prices fall.\n")
            )
            if profile is not None:
                console.print(f"Its world (emulated): {profile.title}.\n")
        last = play(scene, seed, tell)
        result = outcome(scene, last, {m.block: m.truth for m in moments if m.truth})
    if as_json:
        print_json({**as_object(result), "held": [held_object(m) for m in moments]})
    else:
        console.print()
        tell_outcome(result)
    leave(folder, result.faults)
