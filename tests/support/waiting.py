"""Wait for what another thread, process or server does in its own time: ask until it is so."""

import time
from collections.abc import Callable


def wait_for(
    done: Callable[[], object], seconds: float = 60, each: Callable[[], object] = lambda: None
) -> None:
    """Ask until it is so; `each` is done in between. AssertionError when it does not come to it."""
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "waited in vain"
        each()
        time.sleep(0.03)
