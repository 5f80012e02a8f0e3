"""Cures have one word each; the word of the version before is understood, any other is an error."""

from __future__ import annotations

from typing import get_args

import pytest

from keeper.errors import ConfigError
from keeper.model.cure import Action, action_named, action_words

pytestmark = pytest.mark.unit


def test_every_cure_is_named_by_its_word_and_supply_by_the_old_one() -> None:
    assert [action_named(each) for each in get_args(Action)] == list(get_args(Action))
    assert action_named("supply") == "add_collateral"
    assert action_words("add_collateral") == "add collateral"


def test_another_word_is_an_error_that_names_the_cures() -> None:
    with pytest.raises(ConfigError, match="'give' is no cure") as raised:
        action_named("give")
    assert "repay, add_collateral, reduce, close" in str(raised.value)
