"""What an account's owner permits the keeper to do for the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.config.policy import Action


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights at one account: of the payer's own key where `via` is empty, else of a contract of ours that the
    payer operates and that can do nothing else.

    `reduces` says by position (as the protocol names it) how much may be taken away today; `share` (1e18 is
    all) what part of the price that may cost; `why` explains what is not permitted."""

    via: str = ""
    adds: bool = False
    reduces: Mapping[str, int] = field(default_factory=dict)
    share: int = 0
    why: str = ""

    def lacks(self, action: Action, position: str) -> str:
        """Why a cure is not permitted, in words; empty where it is."""
        if action == "add_collateral" and not self.adds:
            return self.why or "its owner lets nothing be added"
        if action in ("reduce", "close") and not self.reduces.get(position):
            return self.why or "its owner lets nothing of this position be taken away now"
        return ""


NOTHING = Grant(why="the account's owner lets nobody do this")
