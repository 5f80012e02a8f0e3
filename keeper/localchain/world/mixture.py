"""Every fault at once, at random: their words and codes drawn by chance, so that no list of phrases helps."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

from keeper.localchain.world import tricks
from keeper.localchain.world.node import Reply, Trick, error
from keeper.localchain.world.profiles import PROFILES, Profile

_SYLLABLES = ("lim", "quo", "ser", "ver", "ка", "不可", "blok", "up", "down", "not", "the", "re", "turn", "ö")
_STATUSES = (200, 200, 200, 400, 403, 404, 418, 429, 500, 502, 503)
# One node of a mixture may have these for its own; the second is only unreliable.
_KINDS = (
    "gas-cap-10m",
    "gas-cap-50m",
    "no-simulate-403",
    "lying-pending",
    "withheld-logs",
    "indexing",
    "two-to-24",
    "lagging-balancer",
)
_CHAINS = ("missed-slot", "arbitrum", "op-stack", "polygon", "bsc", "legacy-fees", "delegated")


def mixture(seed: int) -> Profile:
    """A chain of some kind with two nodes in trouble of several kinds, by a seed."""
    dice = random.Random(seed)  # noqa: S311  (faults, not secrets)
    chain = PROFILES[dice.choice(_CHAINS)]
    kinds = dice.sample(_KINDS, dice.randrange(1, 4))

    def nodes(again: random.Random) -> list[list[Trick]]:
        of_chain = chain.nodes(again)[0]
        worse = [trick for kind in kinds for trick in PROFILES[kind].nodes(again)[0]]
        return [
            [tricks.now_and_then(again, 0.15, lambda: _trouble(again)), *worse, *of_chain],
            [tricks.now_and_then(again, 0.05, lambda: _trouble(again)), *of_chain],
        ]

    return Profile(
        f"seed {seed}: {chain.title}; one node: {', '.join(kinds)}; both refuse at random, without sense",
        "all of the above",
        nodes,
        chain.options,
        chain.prepare,
        chain.between,
        chain.settings,
        chain.more,
        timeout=2.0,
        tells=frozenset().union(*(PROFILES[kind].tells for kind in kinds)),
    )


def _trouble(dice: random.Random) -> Reply:
    status = dice.choice(_STATUSES)
    kind = dice.randrange(5)
    if kind == 0:
        return Reply(status=status, raw=_noise(dice).encode())
    if kind == 1:
        return Reply(
            {"result": dice.choice([None, {}, [], 5, "0x", _noise(dice)])} if status == 200 else {}, status
        )
    makers: list[Callable[[], Any]] = [
        lambda: dice.randrange(-33_000, -31_000),
        lambda: dice.randrange(400, 600),
        lambda: None,
        lambda: _noise(dice),
        lambda: dice.random(),
    ]
    code = dice.choice(makers)()
    # A revert by its code is the chain's own word, in whatever words.
    code = -32_099 if code in (3, -32_015) else code
    return error(code, dice.choice([_noise(dice), None, {"why": _noise(dice)}]), _noise(dice), status=status)


def _noise(dice: random.Random) -> str:
    words = ["".join(dice.choice(_SYLLABLES) for _ in range(dice.randrange(1, 4))) for _ in range(4)]
    return " ".join(words) + dice.choice(string.punctuation)
