"""What reaches a terminal or a log: names that fit, and no variable's value."""

from __future__ import annotations

import subprocess
import sys

import pytest

from keeper.cli.output import name

pytestmark = pytest.mark.unit

SECRET = "5e5e5e5e"
FAULT = f"""
import structlog
from keeper.cli.output import setup_logging
setup_logging(as_json={{as_json}})
def sign(key: str) -> None:
    raise ValueError("no")
try:
    sign("{SECRET}" * 8)
except ValueError as error:
    structlog.get_logger().error("job failed", exc_info=error)
"""


def logged(*, as_json: bool) -> str:
    program = FAULT.replace("{as_json}", str(as_json))
    # From standard input: a traceback then shows no source line of ours either.
    done = subprocess.run([sys.executable, "-"], input=program, capture_output=True, text=True, check=True)
    return done.stderr


def test_a_traceback_in_the_log_shows_no_variables() -> None:
    for as_json in (False, True):
        text = logged(as_json=as_json)
        assert "Traceback" in text and "ValueError: no" in text
        assert SECRET not in text
        assert "locals" not in text and "╭" not in text


def test_an_account_within_a_part_of_a_market_is_short() -> None:
    owner = "0x" + "ab" * 20
    assert len(name(owner)) == 42
    assert name(owner + "12" * 32).lower() == f"{owner} 0x12121212"
