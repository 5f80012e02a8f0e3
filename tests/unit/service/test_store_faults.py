"""For how long a job's failure says that the store is out of order."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from keeper.service.store_watch import LATELY, StoreFaults

pytestmark = pytest.mark.unit

GONE = OperationalError("INSERT", {}, Exception("gone"))


def test_a_job_that_comes_back_once_an_hour_does_not_hold_up_the_news_that_the_store_answers() -> None:
    faults = StoreFaults()
    faults.failed("housekeeping", GONE, 100.0)
    assert faults.lately(100.0 + LATELY) == [GONE]
    assert faults.lately(100.1 + LATELY) == []


def test_a_job_that_works_again_has_no_fault_and_one_that_goes_on_failing_has() -> None:
    faults = StoreFaults()
    for moment in range(60):
        faults.failed("decide:c", GONE, float(moment))
    faults.failed("alerts", GONE, 59.0)
    faults.worked("alerts")
    faults.worked("never failed")
    assert faults.lately(60.0) == [GONE]
