"""Whatever way a configuration is written in, an edit changes what it means in one place only."""

from __future__ import annotations

import json
import random
import re
import tomllib
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.setup.toml_edit import with_sections, with_value

pytestmark = pytest.mark.unit

BASE: dict[str, Any] = {
    "chains": {
        "local": {
            "chain_id": 1,
            "rpc": ["http://a/#1", "http://b]"],
            "venues": {"uniswap_v3": {"factory": "0xF", "fees": [100, 500], "note": "}{] # no comment"}},
        },
        "two words": {"chain_id": 2, "rpc": ["http://c"], "relay": {"url": 'x"y'}},
    },
    "markets": {
        "aave": {"protocol": "aave-v3", "chain": "local", "oracles": {"USDC": {"heartbeat": 3600}}},
        "m.2": {"protocol": "compound-v3", "chain": "two words"},
    },
    "policy": {"warn": Decimal("1.1"), "min_profit": 0},
    "protect": [{"market": "aave", "account": "0x1"}, {"market": "aave", "account": "0x2"}],
}
PLACES = [
    ("chains", "local", "liquidator"),
    ("chains", "two words", "liquidator"),
    ("markets", "aave", "owner_top_up"),
    ("markets", "m.2", "owner_top_up"),
    ("chains", "two words", "relay", "kind"),
]
SECTIONS = """[chains.third]
chain_id = 3
rpc = ["http://d"]

[markets.new]
protocol = "aave-v3"
chain = "third"

[markets.new.oracles."W E"]
heartbeat = 60

[[protect]]
market = "new"
account = "0x3"
"""


def key(place: tuple[str, ...]) -> str:
    return ".".join(each if each.isalnum() or "_" in each else f'"{each}"' for each in place)


def inline(value: object) -> str:
    """A value on one line; JSON's strings, numbers and words are TOML's too."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key((name,))} = {inline(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def written(tables: dict[str, Any], seed: int) -> tuple[str, list[str]]:
    """One of the many ways to write these tables, with a comment wherever one may stand, and the comments."""
    dice, comments = random.Random(seed), list[str]()

    def remark() -> str:
        comments.append(f"# remark {len(comments)} [chains.local] }} ]")
        return comments[-1]

    def body(
        of: dict[str, Any], ahead: tuple[str, ...]
    ) -> tuple[list[str], list[tuple[tuple[str, ...], Any]]]:
        """Lines of one table, and the tables that get headers of their own."""
        lines, headed = list[str](), list[tuple[tuple[str, ...], Any]]()
        for name, value in of.items():
            way = dice.choice(["inline", "dotted", "header"])
            if isinstance(value, dict) and way != "inline":
                if way == "header":
                    headed.append(((*ahead, name), value))
                else:
                    inner, deeper = body(value, (*ahead, name))
                    # Dotted keys are of this table; what has a header of its own cannot lie below them.
                    lines += (
                        [f"{key((name,))}.{line}" for line in inner]
                        if not deeper
                        else [f"{key((name,))} = {inline(value)}"]
                    )
            elif (
                isinstance(value, list)
                and value
                and isinstance(value[0], dict)
                and way == "header"
                and not ahead
            ):
                headed.append(((*ahead, name), value))
            elif isinstance(value, list) and dice.random() < 0.5:
                lines.append(f"{key((name,))} = [")
                lines[-1] += "\n" + "".join(f"  {inline(each)}, {remark()}\n" for each in value) + "]"
            else:
                lines.append(f"{key((name,))} = {inline(value)}")
        dice.shuffle(lines)
        return lines, headed

    top, waiting = body(tables, ())
    blocks = list[str]()
    while waiting:
        place, value = waiting.pop(dice.randrange(len(waiting)))
        if isinstance(value, list):
            blocks += [
                "\n".join([f"[[{key(place)}]]", *(f"{k} = {inline(v)}" for k, v in e.items())]) for e in value
            ]
            continue
        lines, deeper = body(value, place)
        waiting += deeper
        indent = dice.choice(["", "  "])
        head = f"{indent}[ {key(place)} ]" if dice.random() < 0.3 else f"{indent}[{key(place)}]"
        blocks.append("\n".join([f"{head} {remark()}" if dice.random() < 0.5 else head, *lines]))
    singles = [b for b in blocks if not b.startswith("[[")]
    dice.shuffle(singles)
    arrays = [b for b in blocks if b.startswith("[[")]
    at = dice.randrange(len(singles) + 1)
    whole = ["\n".join([*top, remark()]), *singles[:at], *arrays, *singles[at:]]
    text = "\n".join(whole) + dice.choice(["", "\n", "\n\n"])
    return text, [each for each in comments if each in text]


def meaning(text: str) -> dict[str, Any]:
    return tomllib.loads(text, parse_float=Decimal)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(PLACES), st.booleans())
def test_a_value_is_set_and_nothing_else(seed: int, place: tuple[str, ...], there: bool) -> None:
    before = deepcopy(BASE)
    wanted = deepcopy(BASE)
    for tables, value in ((before, "0xOld"), (wanted, "0xNew")):
        if tables is before and not there:
            continue
        at = tables
        for name in place[:-1]:
            at = at[name]
        at[place[-1]] = value
    text, comments = written(before, seed)
    assert meaning(text) == before, text
    edited = with_value(text, place, "0xNew")
    assert meaning(edited) == wanted, text
    assert all(each in edited for each in comments)
    if is_late(text):
        # tomlkit does not master it: the tables may be written anew, and what was there be kept as comments.
        assert few(edited, text) or all(f"# {line}" in edited for line in text.splitlines())
    else:
        assert few(edited, text), "only a place was to be changed"


def few(edited: str, text: str) -> bool:
    return len(edited.splitlines()) <= len(text.splitlines()) + 4


def is_late(text: str) -> bool:
    """Whether a table's header stands below that of a table within it."""
    headers = re.findall(r"^ *\[ ?([^\[\]]+?) ?\]", text, re.M)
    return any(
        earlier.startswith(f"{header}.") for at, header in enumerate(headers) for earlier in headers[:at]
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_sections_are_added_and_nothing_else_changes(seed: int) -> None:
    text, comments = written(BASE, seed)
    edited = meaning(with_sections(text, SECTIONS))
    wanted, new = deepcopy(BASE), meaning(SECTIONS)
    wanted["chains"] |= new["chains"]
    wanted["markets"] |= new["markets"]
    wanted["protect"] += new["protect"]
    assert edited == wanted, text
    assert all(each in with_sections(text, SECTIONS) for each in comments)


def test_a_table_that_does_not_directly_follow_its_parent() -> None:
    text = '[chains.x]\nrpc = ["u"]\n\n[markets.m]\nchain = "x"\n\n[chains.x.venues.v3]\nfactory = "0xF"\n'
    assert with_value(text, ("chains", "x", "liquidator"), "0xA") == text.replace(
        'rpc = ["u"]\n', 'rpc = ["u"]\nliquidator = "0xA"\n'
    )


def test_a_comment_stays_with_what_follows_it() -> None:
    text = '[chains.x] # X\nrpc = ["u"] # U\n\n# about m\n[markets.m]\nchain = "x"'
    assert (
        with_value(text, ("chains", "x", "liquidator"), "0xA")
        == text.replace("# U\n", '# U\nliquidator = "0xA"\n') + "\n"
    )


@pytest.mark.parametrize(
    "old",
    ['"0x\\u0041"', '"""\\\n  0xA"""', "'0xA' # was 0xA", '"0xA"'],
    ids=["escape", "folded", "literal", "plain"],
)
def test_an_old_value_is_replaced_however_it_is_written(old: str) -> None:
    text = f'# kept\nname = "0xA"\n[chains.x]\nliquidator = {old}\n'
    edited = with_value(text, ("chains", "x", "liquidator"), "0xB")
    assert meaning(edited) == {"name": "0xA", "chains": {"x": {"liquidator": "0xB"}}}
    assert "# kept" in edited


def test_what_is_said_already_is_not_written_again() -> None:
    text = "a.b = 1 # one\n"
    assert with_value(text, ("a", "b"), 1) is text
