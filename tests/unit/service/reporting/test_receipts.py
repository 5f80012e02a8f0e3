"""What a receipt's logs say of our tokens, whatever else strangers put among them."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.service.reporting.receipts import gas_wei, movements

pytestmark = pytest.mark.unit

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
US, OURS, THEM = ("0x" + digit * 40 for digit in "abc")
TOKEN, OTHER = "0x" + "1d" * 20, "0x" + "2D" * 20


def _topic(address: str) -> str:
    return "0x" + "00" * 12 + address[2:]


def _log(token: str, source: str, target: str, units: int, **other: Any) -> dict[str, Any]:
    found = {
        "address": token,
        "topics": [TRANSFER, _topic(source), _topic(target)],
        "data": f"0x{units:064x}",
        "blockNumber": "0x1",
        "blockHash": "0x" + "01" * 32,
        "transactionHash": "0x" + "02" * 32,
        "transactionIndex": "0x0",
        "logIndex": "0x0",
    }
    return {**found, **other}


def test_what_came_less_what_left_by_token() -> None:
    logs = [
        _log(TOKEN, THEM, US, 100),
        _log(TOKEN, US, THEM, 30),
        _log(OTHER, OURS, THEM, 7),
        _log(OTHER, THEM, THEM, 9),
    ]
    assert movements(logs, {US, OURS}) == {TOKEN: 70, OTHER.lower(): -7}


def test_what_goes_from_one_of_ours_to_another_moves_nothing() -> None:
    assert movements([_log(TOKEN, US, OURS, 5)], {US, OURS}) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"topics": []},
        {"topics": [TRANSFER]},
        {"topics": [TRANSFER, _topic(THEM), _topic(US), _topic(US)]},
        {"topics": ["0x" + "12" * 32, _topic(THEM), _topic(US)]},
        {"topics": [TRANSFER, "0x" + "ff" * 32, _topic(US)]},
        {"data": "0x"},
        {"data": "0x12"},
    ],
    ids=["anonymous", "bare", "of an ERC-721", "another event", "no address", "no units", "cut off"],
)
def test_a_log_that_is_no_transfer_of_ours_spoils_no_other(other: dict[str, Any]) -> None:
    logs = [_log(TOKEN, THEM, US, 1, **other), _log(TOKEN, THEM, US, 2)]
    assert movements(logs, {US}) == {TOKEN: 2}


def test_gas_is_paid_at_the_receipts_price_and_data_besides() -> None:
    assert gas_wei({"gasUsed": "0x64", "effectiveGasPrice": "0x3"}) == 300
    assert gas_wei({"gasUsed": "0x64", "effectiveGasPrice": "0x3", "l1Fee": "0x5"}) == 305
