"""Cures have one word each; the word of the version before is understood, any other is an error."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from keeper.config.policy import Action, Step
from keeper.model.cure import action_words

pytestmark = pytest.mark.unit


def action_of(word: Any) -> str:
    return Step(action=word, asset="WETH").action


def test_every_cure_is_named_by_its_word_and_supply_by_the_old_one() -> None:
    assert [action_of(each) for each in get_args(Action)] == list(get_args(Action))
    assert action_of("supply") == "add_collateral"
    assert action_words("add_collateral") == "add collateral"


def test_another_word_is_an_error_that_names_the_cures() -> None:
    with pytest.raises(ValidationError, match="'repay', 'add_collateral', 'reduce' or 'close'") as raised:
        action_of("give")
    assert raised.value.errors()[0]["loc"] == ("action",)
