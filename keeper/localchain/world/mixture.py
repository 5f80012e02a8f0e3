"""Several faults at once, at random: messages and codes are random, so that no list of phrases helps."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from keeper.localchain.world import tricks
from keeper.localchain.world.node import Reply, Trick, error
from keeper.localchain.world.profiles import PROFILES, Profile

_SYLLABLES = ("lim", "quo", "ser", "ver", "ка", "不可", "blok", "up", "down", "not", "the", "re", "turn", "ö")
_STATUSES = (200, 200, 200, 400, 403, 404, 418, 429, 500, 502, 503)
# The chain is of one of these kinds; each node has faults of the other kinds, the second node at most one.
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
# With these a node is of little use: only the first node may have them.
_CRIPPLING = ("quota", "trickle", "oversize")


def together(chain: str, worse: Sequence[str], better: Sequence[str]) -> Profile:
    """A chain of one kind with two nodes: the first has the faults `worse`, the second those of `better`."""
    return _combined(chain, worse, better, "", lambda *_: [])


def mixture(seed: int) -> Profile:
    """A random chain with two nodes of random faults, which also refuse requests at random; reproducible by
    `seed`."""
    dice = random.Random(seed)  # noqa: S311  (faults, not secrets)
    chain = dice.choice(_CHAINS)
    lighter = [kind for kind in KINDS if kind not in _CRIPPLING]
    worse, better = dice.sample(KINDS, dice.randrange(1, 4)), dice.sample(lighter, dice.randrange(2))

    def refusing(again: random.Random, often: float) -> list[Trick]:
        return [tricks.now_and_then(again, often, lambda: _trouble(again))]

    return _combined(chain, worse, better, f"seed {seed}; both refuse at random, without sense", refusing)


def _combined(
    chain: str,
    worse: Sequence[str],
    better: Sequence[str],
    title: str,
    refusing: Callable[[random.Random, float], list[Trick]],
) -> Profile:
    base = PROFILES[chain]

    def nodes(dice: random.Random) -> list[list[Trick]]:
        of_chain = base.nodes(dice)[0]
        return [
            [*refusing(dice, often), *(t for kind in kinds for t in PROFILES[kind].nodes(dice)[0]), *of_chain]
            for often, kinds in ((0.15, worse), (0.05, better))
        ]

    kinds = (*worse, *better)
    one, other = f"one node: {', '.join(worse) or 'nothing'}", f"the other: {', '.join(better) or 'nothing'}"
    return replace(
        base,
        title="; ".join([*([title] if title else []), base.title, one, other]),
        seen="all of these",
        nodes=nodes,
        timeout=2.0,
        tells=frozenset().union(*(PROFILES[each].tells for each in (chain, *kinds))),
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
    # An error with a revert's code is the chain's own answer, whatever its message.
    code = -32_099 if code in (3, -32_015) else code
    return error(code, dice.choice([_noise(dice), None, {"why": _noise(dice)}]), _noise(dice), status=status)


def _noise(dice: random.Random) -> str:
    words = ["".join(dice.choice(_SYLLABLES) for _ in range(dice.randrange(1, 4))) for _ in range(4)]
    return " ".join(words) + dice.choice(string.punctuation)
