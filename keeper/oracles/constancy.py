"""Whether a contract can give no other answer than the one it gives, told by its code alone.

Code that reads no storage, calls nobody and looks at nothing of the block or the caller computes from what
it was asked and from itself: the same question has the same answer for ever. Where it looks at the block's
time besides, the answer is a function of time that nobody can move.

Bound: every instruction that could be reached counts, whether an answer reaches it or not, so that a constant
may be missed (one behind a proxy is). Nothing that can move is taken for constant, but for code hidden in
what the compiler's own metadata is laid out like, and jumped to by a computed address.
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
    """What this runtime code lets its answers hang on."""
    if not code:
        return "moving"
    code = _without_metadata(code)
    used = _reachable(code)
    if used <= _PURE:
        return "constant"
    return "timed" if used <= _PURE | {_TIMESTAMP} else "moving"


def _without_metadata(code: bytes) -> bytes:
    """Without the CBOR map that Solidity appends, whose last two bytes are its length."""
    length = int.from_bytes(code[-2:], "big")
    start = len(code) - length - 2
    return code[:start] if start > 0 and code[start : start + 1] in _MARKS else code


def _reachable(code: bytes) -> set[int]:
    """The instructions from the start and from every place that can be jumped to, up to where they end."""
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
