"""Whether a contract can give no other answer than the present one, decided by its code alone.

Code that reads no storage, calls nobody and reads nothing of the block or the caller computes from its input
and itself: the same question always has the same answer. Where it also reads the block's time, the answer is
a function of time that nobody can move.

Bound: every reachable instruction counts, whether it affects an answer or not, so that a constant may be
missed (one behind a proxy is). Nothing that can move is taken for constant, except for code hidden in what
looks like the compiler's own metadata, and jumped to by a computed address.
"""

from __future__ import annotations

from typing import Literal

Constancy = Literal["constant", "timed", "moving"]

_JUMPDEST, _PUSH1, _PUSH32, _TIMESTAMP = 0x5B, 0x60, 0x7F, 0x42
# After these nothing follows but what is jumped to.
_ENDS = frozenset({0x00, 0x56, 0xF3, 0xFD, 0xFE})
# Arithmetic, comparison, keccak; what is asked and the code itself; stack, memory and jumps; push and swap.
_PURE = frozenset(
    {
        *range(0x0C),
        *range(0x10, 0x1F),
        0x20,
        0x30,
        *range(0x34, 0x3A),
        0x3D,
        0x3E,
        0x46,
        *range(0x50, 0x54),
        *range(0x56, 0x5A),
        0x5B,
        0x5E,
        *range(0x5F, 0xA0),
        0xF3,
        0xFD,
        0xFE,
    }
)
_MARKS = (b"\xa1", b"\xa2", b"\xa3", b"\xa4")


def constancy(code: bytes) -> Constancy:
    """What this runtime code's answers can depend on."""
    if not code:
        return "moving"
    code = _without_metadata(code)
    used = _reachable(code)
    if used <= _PURE:
        return "constant"
    return "timed" if used <= _PURE | {_TIMESTAMP} else "moving"


def _without_metadata(code: bytes) -> bytes:
    """The code without the CBOR map that Solidity appends, whose length is in its last two bytes."""
    length = int.from_bytes(code[-2:], "big")
    start = len(code) - length - 2
    return code[:start] if start > 0 and code[start : start + 1] in _MARKS else code


def _reachable(code: bytes) -> set[int]:
    """The instructions from the start and from every jump destination, up to where each sequence ends."""
    used: set[int] = set()
    at, runs = 0, True
    while at < len(code):
        instruction = code[at]
        runs = runs or instruction == _JUMPDEST
        if runs:
            used.add(instruction)
            runs = instruction not in _ENDS
        at += 1 + (instruction - _PUSH1 + 1 if _PUSH1 <= instruction <= _PUSH32 else 0)
    return used
