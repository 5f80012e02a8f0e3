"""The channels by which the keeper alerts."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from apprise import Apprise

from keeper.config import Settings
from keeper.model.finding import Finding


def is_known(url: str) -> bool:
    """Whether Apprise knows a service for it. Nothing is logged: the URL may hold a secret."""
    logger = logging.getLogger("apprise")
    before = logger.disabled
    logger.disabled = True
    try:
        return bool(Apprise().add(url))
    finally:
        logger.disabled = before


def channels(settings: Settings) -> Iterator[Finding]:
    """Check that every channel is one that Apprise knows; nothing is sent."""
    if not settings.alerts and settings.service.alerts_file is None:
        yield Finding.warning("alerts", "only the console is told", "Add [[alerts]] with an Apprise URL")
    for i, channel in enumerate(settings.alerts):
        if is_known(channel.url):
            yield Finding.ok(f"alerts[{i}]", "a service Apprise knows; `keeper alerts test` sends to it")
        else:
            yield Finding.fault(
                f"alerts[{i}]", "not an address that Apprise knows", "See Apprise's list of services"
            )
