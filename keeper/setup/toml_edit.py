"""Edits of a configuration file that somebody wrote: only the requested part changes, whatever its layout.

TOML lets one meaning be written in many ways, and tomlkit does not master all of them: an edit is accepted if
the parsed whole then equals the earlier content plus the change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from decimal import Decimal
from typing import Any

import tomlkit
from tomlkit.exceptions import ConvertError
from tomlkit.items import Item, Table

Place = Sequence[str | int]
"""Keys from the outermost table in; a number is a place in an array."""


@tomlkit.register_encoder
def _decimal(value: object) -> Item:
    if isinstance(value, Decimal):
        plain = str(value).lower()
        return tomlkit.float_(plain if any(sign in plain for sign in ".en") else f"{plain}.0")
    raise ConvertError


def with_value(text: str, place: Place, value: object) -> str:
    """The file's text with `value` at `place` (keys from the outermost table in); all else is kept."""

    def put(tables: Any) -> None:
        for key in place[:-1]:
            tables = tables.setdefault(key, {}) if hasattr(tables, "keys") else tables[key]
        body = tables.value.body if isinstance(tables, Table) else []
        last = max((at for at, (key, _) in enumerate(body, 1) if key is not None), default=0)
        # Comments below the last value are of what follows it.
        below, body[last:] = body[last:], []
        tables[place[-1]] = value
        body += below

    return _edited(text, put)


def with_sections(text: str, sections: str) -> str:
    """The file's text and further sections: their tables are merged, their arrays of tables lengthened."""
    appended = f"{text.rstrip()}\n\n{sections}" if text.strip() else sections
    return _edited(text, lambda tables: _merge(tables, _parsed(sections)), appended)


def _merge(tables: MutableMapping[str, Any], added: Mapping[str, Any]) -> None:
    for key, value in added.items():
        if isinstance(value, Mapping) and key in tables:
            _merge(tables[key], value)
        elif isinstance(value, list) and key in tables:
            tables[key].extend(value)
        else:
            tables[key] = value


def _parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text, parse_float=Decimal)


def _edited(text: str, change: Callable[[Any], None], simplest: str = "") -> str:
    """The text with a change of its tables, made in place or by the `simplest` edit."""
    wanted = _parsed(text)
    change(wanted)
    edits: list[Callable[[], str]] = [lambda: text, lambda: simplest, lambda: _by_tomlkit(text, change)]
    for edit in edits:
        try:
            if _parsed(edited := edit()) == wanted:
                return edited
        except Exception:  # noqa: BLE001, S112  (whatever one edit cannot say, the next may)
            continue
    # What no edit of single places can say: the tables anew, and what was there kept as comments.
    return tomlkit.dumps(wanted) + "\n" + "".join(f"# {line}\n" for line in text.splitlines())


def _by_tomlkit(text: str, change: Callable[[Any], None]) -> str:
    # Of dotted keys it does not end the last line itself.
    tables = tomlkit.parse(text if text.endswith("\n") else f"{text}\n")
    change(tables)
    return tomlkit.dumps(tables)


def dotted(place: Place) -> str:
    """Keys as TOML joins them, in quotes where they need them."""
    return str(tomlkit.key(list(map(str, place))).as_string())


def inline(text: str) -> str:
    """A string as TOML writes it on one line."""
    return str(tomlkit.string(text).as_string())
