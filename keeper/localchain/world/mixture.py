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
# The chain is of one kind; each node has faults of its own of the others, the second one at most.
_CHAINS = (
    "missed-slot",
    "arbitrum",
    "op-stack",
    "polygon",
    "bsc",
    "large-gas",
    "legacy-fees",
    "delegated",
)
KINDS = tuple(name for name in PROFILES if name not in _CHAINS)


def mixture(seed: int) -> Profile:
    """A chain of some kind with two nodes in trouble of several kinds, by a seed."""
    dice = random.Random(seed)  # noqa: S311  (faults, not secrets)
    chain = PROFILES[dice.choice(_CHAINS)]
    kinds, others = dice.sample(KINDS, dice.randrange(1, 4)), dice.sample(KINDS, dice.randrange(2))

    def nodes(again: random.Random) -> list[list[Trick]]:
        of_chain = chain.nodes(again)[0]
        worse, better = (
            [trick for kind in found for trick in PROFILES[kind].nodes(again)[0]] for found in (kinds, others)
        )
        return [
            [tricks.now_and_then(again, 0.15, lambda: _trouble(again)), *worse, *of_chain],
            [tricks.now_and_then(again, 0.05, lambda: _trouble(again)), *better, *of_chain],
        ]

    return Profile(
        f"seed {seed}: {chain.title}; "
        f"one node: {', '.join(kinds)}; the other: {', '.join(others) or 'nothing'}; "
        "both refuse at random, without sense",
        "all of the above",
        nodes,
        chain.options,
        chain.prepare,
        chain.between,
        chain.settings,
        chain.more,
        timeout=2.0,
        learns_block_time=chain.learns_block_time,
        tells=frozenset().union(*(PROFILES[kind].tells for kind in (*kinds, *others))),
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
