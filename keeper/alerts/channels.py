"""A channel to people, through Apprise: whether it takes a message and, if not, Apprise's reason."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from apprise import Apprise, AppriseAsset, LogCapture, NotifyType

from keeper.alerts.bounded import bound_requests
from keeper.alerts.outbox import SEVERITIES
from keeper.config import AlertChannel
from keeper.errors import ConfigError

_TYPES = {"info": NotifyType.INFO, "warning": NotifyType.WARNING, "critical": NotifyType.FAILURE}
# Whatever kind of service it is: later than this it did not take a message.
MOST_SECONDS = 30.0
_SILENT = "was not taken, and the service gave no reason"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel. `name` is its place in the configuration, which may be shown; its URL holds secrets and may
    not."""

    name: str
    least: int
    apprise: Apprise
    _last: list[threading.Thread] = field(default_factory=list, repr=False)

    def wants(self, severity: str) -> bool:
        return SEVERITIES.index(severity) >= self.least

    def send(self, title: str, body: str, severity: str) -> str:
        """Hand a message over; empty when it was taken, else why not."""
        if self._last and self._last[0].is_alive():
            return "is still busy with the message before"
        found: list[str] = []
        self._last[:] = [
            threading.Thread(target=lambda: found.append(self._notify(title, body, severity)), daemon=True)
        ]
        self._last[0].start()
        self._last[0].join(MOST_SECONDS)
        return found[0] if found else f"did not take it within {MOST_SECONDS:.0f} s"

    def _notify(self, title: str, body: str, severity: str) -> str:
        """Send through Apprise, which gives reasons only in its log (payloads and URLs only below warnings).
        That log is the process's one: reasons of two threads that send at once are seen by both."""
        with LogCapture(level=logging.WARNING, fmt="%(message)s") as log:  # type: ignore[no-untyped-call]
            taken = self.apprise.notify(body=body, title=title, notify_type=_TYPES[severity])
            said = dict.fromkeys(filter(None, map(str.strip, log.getvalue().splitlines())))
        return "" if taken else "; ".join(said) or _SILENT


def channel(index: int, settings: AlertChannel) -> Channel:
    """The channel at this place in the configuration. ConfigError when Apprise does not know the address."""
    bound_requests()
    # What it says in its log is passed on by whoever asks, and nowhere else.
    logging.getLogger("apprise").propagate = False
    apprise = Apprise(asset=AppriseAsset(http_redirects=False))
    if not apprise.add(settings.url):
        raise ConfigError(
            "is not an address that Apprise knows",
            where=f"alerts[{index}].url",
            remedy="See Apprise's list of services; json://host:port/path posts JSON",
        )
    return Channel(f"alerts[{index}]", SEVERITIES.index(settings.min_severity), apprise)


def try_channels(channels: Sequence[AlertChannel]) -> list[tuple[str, str]]:
    """Send one message to each channel; returns its name, and why it was not taken (empty: it was)."""
    found = [channel(i, each) for i, each in enumerate(channels)]
    body = "kind: test\nThis is keeper's test message."
    return [(each.name, each.send("keeper: test", body, "info")) for each in found]
