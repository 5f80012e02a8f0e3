"""The daemon's threads end even when a job asks the scheduler for something while that shuts down."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from keeper.service.daemon import Threads

pytestmark = pytest.mark.unit


def test_a_job_that_asks_the_scheduler_for_something_does_not_hold_up_the_end() -> None:
    threads = Threads(2)
    scheduler = BackgroundScheduler(executors={"default": threads})
    begun, ending, ended = threading.Event(), threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        ending.wait(10)
        scheduler.add_job(print)
        ended.set()

    def end() -> None:
        scheduler.shutdown(wait=False)
        ending.set()
        threads.join()

    scheduler.add_job(job, next_run_time=datetime.now())
    scheduler.start()
    assert begun.wait(10)
    stopping = threading.Thread(target=end, daemon=True)
    stopping.start()
    stopping.join(10)
    assert not stopping.is_alive() and ended.is_set()
