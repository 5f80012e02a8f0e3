"""Changes to a configuration file that somebody wrote: only what is asked for changes, whatever its layout.

TOML lets one meaning be written in many ways (headers in any order, dotted keys, inline tables). So nothing
is assumed about the way: an edit is tried at the places where it may belong, and taken where the parsed whole
then says exactly what was said before and the change.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"[ \t]*\[(?!\[)([^\n]*?)\][ \t]*(#[^\n]*)?")
Place = Sequence[str | int]
"""Keys from the outermost table in; a number is a place in an array."""
Tables = dict[str, Any]


def with_value(text: str, place: Place, value: object) -> str:
    """The file's text with `value` at `place` (keys from the outermost table in); all else is kept."""
    before = _parsed(text)
    wanted = deepcopy(before)
    _set(wanted, place, value)
    if wanted == before:
        return text
    old = _get(before, place)
    candidates = _insertions(text, place, value) if old is None else _replacements(text, place, old, value)
    return _first_right(candidates, wanted) or _rewritten(text, wanted)


def with_sections(text: str, sections: str) -> str:
    """The file's text and further sections: their tables are merged, their arrays of tables lengthened."""
    before, added = _parsed(text), _parsed(sections)
    wanted = _merged(before, added)
    appended = f"{text.rstrip()}\n\n{sections}" if text.strip() else sections
    found = _first_right(iter([appended]), wanted)
    if found is not None:
        return found
    for place, value in _pieces(before, added):
        if isinstance(value, list) and (old := _get(before, place)) is not None:
            longer = deepcopy(before)
            _set(longer, place, [*old, *value])
            text = _first_right(_longer(text, value), longer) or _rewritten(text, longer)
            before = longer
        else:
            text = with_value(text, place, value)
            before = _parsed(text)
    return text


def _parsed(text: str) -> Tables:
    return tomllib.loads(text, parse_float=Decimal)


def _first_right(candidates: Iterator[str], wanted: Tables) -> str | None:
    for each in candidates:
        try:
            if _parsed(each) == wanted:
                return each
        except tomllib.TOMLDecodeError:
            continue
    return None


def _insertions(text: str, place: Place, value: object) -> Iterator[str]:
    """The text with the new key below its table's header, at any line, in any inline table."""
    ends = _line_ends(text)
    headed = [at for start, at in zip([0, *ends], ends, strict=False) if _heads(text[start:at], place[:-1])]
    yield from (_inserted(text, at, f"{dotted(place[-1:])} = {inline(value)}\n") for at in headed)
    if isinstance(value, Mapping):
        body = "".join(f"{dotted([key])} = {inline(each)}\n" for key, each in value.items())
        yield f"{text.rstrip()}\n\n[{dotted(place)}]\n{body}"
    yield f"{text.rstrip()}\n\n[{dotted(place[:-1])}]\n{dotted(place[-1:])} = {inline(value)}\n"
    for depth in range(len(place)):
        entry = f"{dotted(place[depth:])} = {inline(value)}"
        for at, sign in enumerate(text):
            if sign == "}":
                yield f"{text[:at].rstrip()}, {entry} {text[at:]}"
                yield f"{text[:at]} {entry} {text[at:]}"
        yield from (_inserted(text, at, entry + "\n") for at in (0, *ends))


def _replacements(text: str, place: Place, old: object, value: object) -> Iterator[str]:
    """The text with each place that writes the old value writing the new one."""
    written = {inline(old), f"'{old}'", f"'''{old}'''", f'"""{old}"""', str(old)}
    for each in sorted(written, key=len, reverse=True):
        at = text.find(each)
        while at >= 0:
            yield text[:at] + inline(value) + text[at + len(each) :]
            at = text.find(each, at + 1)


def _longer(text: str, more: list[Any]) -> Iterator[str]:
    """The text with further elements before each closing bracket."""
    elements = ", ".join(map(inline, more))
    for at, sign in enumerate(text):
        if sign == "]":
            kept = text[:at].rstrip()
            yield f"{kept} {elements}{text[at:]}"
            yield f"{kept}, {elements}{text[at:]}"
            # A comment after the last element would swallow what follows on its line.
            yield f"{kept}\n{elements}{text[at:]}"
            yield f"{kept}\n, {elements}{text[at:]}"


def _rewritten(text: str, wanted: Tables) -> str:
    """What no edit of single places can say: the tables anew, and what was there kept as comments."""
    kept = "".join(f"# {line}\n" for line in text.splitlines())
    return "".join(f"{dotted([key])} = {inline(value)}\n" for key, value in wanted.items()) + "\n" + kept


def _line_ends(text: str) -> list[int]:
    """Where a new line may begin after each line."""
    ends = [at + 1 for at, sign in enumerate(text) if sign == "\n"]
    return ends if not text or text.endswith("\n") else [*ends, len(text)]


def _inserted(text: str, at: int, line: str) -> str:
    gap = "" if at == 0 or text[at - 1] == "\n" else "\n"
    return text[:at] + gap + line + text[at:]


def _heads(line: str, place: Place) -> bool:
    """Whether a line looks like the header of this table."""
    found = _HEADER.fullmatch(line.rstrip("\r\n"))
    if found is None:
        return False
    try:
        return _parsed(f"[{found[1]}]") == _parsed(f"[{dotted(place)}]")
    except tomllib.TOMLDecodeError:
        return False


def dotted(place: Place) -> str:
    """Keys as TOML joins them, in quotes where they need them."""
    return ".".join(key if _BARE.fullmatch(key) else _string(key) for key in map(str, place))


def _string(value: str) -> str:
    """A basic string; JSON's escapes are all TOML's too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def inline(value: object) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        plain = str(value).lower()
        return plain if any(sign in plain for sign in ".en") else f"{plain}.0"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{dotted([key])} = {inline(each)}" for key, each in value.items()) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(inline, value)) + "]"
    return str(value)


def _get(tables: Tables, place: Place) -> Any:
    at: Any = tables
    for key in place:
        try:
            at = at[key]
        except (KeyError, IndexError, TypeError):
            return None
    return at


def _set(tables: Tables, place: Place, value: object) -> None:
    at: Any = tables
    for key in place[:-1]:
        at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    at[place[-1]] = value


def _merged(before: Tables, added: Tables) -> Tables:
    found = deepcopy(before)
    for key, value in added.items():
        known = found.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            found[key] = _merged(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            found[key] = [*known, *value]
        else:
            found[key] = value
    return found


def _pieces(
    before: Tables, added: Tables, place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What is added, each as high up as nothing is there yet."""
    for key, value in added.items():
        known = before.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            yield from _pieces(known, value, (*place, key))
        else:
            yield (*place, key), value
