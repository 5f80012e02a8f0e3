"""Keys of the configuration that work for one version more, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.config.settings import Settings


def old_keys(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each old key that is used, and what stands in its place."""
    if settings.policy.native_price is not None:
        chains = ", ".join(f"chains.{name}.native_price" for name in settings.chains)
        yield "policy.native_price", f"one number for all chains: set {chains} instead"
