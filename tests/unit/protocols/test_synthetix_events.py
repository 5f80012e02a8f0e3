"""Every event of the market that names an account is heard, by the signature of its own ABI."""

from __future__ import annotations

import pytest
from eth_utils.abi import abi_to_signature

from keeper.contracts import artifact
from keeper.protocols.event_table import topic
from keeper.protocols.synthetix_v3.market import PerpsMarket

pytestmark = pytest.mark.unit

# A new account has nothing yet, and who may act for one changes nothing it has.
SAY_NOTHING = {"AccountCreated", "PermissionGranted", "PermissionRevoked"}
# Debt is charged where an order is settled only, and names its account in the data.
BESIDE = {"AccountCharged"}


def test_every_event_that_names_an_account_is_heard_where_it_stands() -> None:
    told = {}
    for event in artifact("SynthetixV3PerpsMarket")["abi"]:
        names = [each["name"] for each in event.get("inputs", []) if each.get("indexed")]
        if event["type"] == "event" and "accountId" in names and event["name"] not in SAY_NOTHING:
            told[topic(abi_to_signature(event))] = (1 + names.index("accountId"),)
    assert dict(PerpsMarket.heard.places) == told


def test_no_other_event_names_an_account() -> None:
    unheard = {
        event["name"]
        for event in artifact("SynthetixV3PerpsMarket")["abi"]
        if event["type"] == "event"
        and any(each["name"] == "accountId" and not each["indexed"] for each in event["inputs"])
    }
    assert unheard == BESIDE
