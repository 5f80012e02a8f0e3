"""A chore: work that a market as a whole needs, which anyone may do and nobody is paid for."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.model.plan import Check


@dataclass(frozen=True, slots=True)
class Chore:
    """One call that is due: `gas` is enough for it, `why` explains it to people. `errors` names the table in
    `abis/` that explains its reverts."""

    name: str
    target: str
    data: bytes
    gas: int
    why: str
    postcondition: Check
    errors: str = ""
