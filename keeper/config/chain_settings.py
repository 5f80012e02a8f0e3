"""The settings that the steps of one chain need, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from keeper.config.chains import Chain
from keeper.config.policy import Policy, Protect
from keeper.config.running import Execution


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """One chain's own table with the settings that hold on all chains; `protect` are its protected accounts,
    by their place in the configuration."""

    name: str
    chain: Chain
    policy: Policy
    execution: Execution
    protect: Mapping[int, Protect]
