"""Old keys of the configuration that work for one more version, and their replacements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from keeper.errors import ConfigError

Place = tuple[str | int, ...]
EACH = "*"
"""Any name of a table of tables, any place in a list."""

RENAMED: Mapping[tuple[str, ...], Mapping[str, str]] = {
    ("chains", EACH): {"ws": "head_ws"},
    ("chains", EACH, "relay"): {"updates": "mempool_ws", "behind": "bundle_method"},
    ("markets", EACH): {"unresolved": "unknown_oracles"},
    ("markets", EACH, "oracles", EACH): {"second": "second_source"},
    ("policy",): {
        "gas_hours": "min_gas_hours",
        "max_per_day": "max_spend_per_account_day",
        "min_native": "gas_reserve",
        "native_asset": "wrapped_native",
    },
    ("protect", EACH): {
        "max_per_day": "max_spend_per_owner_day",
        "money": "paid_by",
        "on_unknown": "when_unverified",
    },
}


@dataclass(frozen=True, slots=True)
class OldKey:
    """A key as it was written, and the place that now takes its value."""

    written: Place
    place: Place


def words(path: Place) -> str:
    """A path in words, as in protect[0].steps[1].asset: lists by index."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def told(keys: Iterable[OldKey]) -> list[tuple[str, str]]:
    """Each key as it was written, and its replacement: one may give the values of several places."""
    found: dict[str, list[str]] = {}
    for each in keys:
        is_beside = each.written[:-1] == each.place[:-1]
        found.setdefault(words(each.written), []).append(
            str(each.place[-1]) if is_beside else words(each.place)
        )
    return [(key, f"write {', '.join(dict.fromkeys(places))}") for key, places in found.items()]


def renew(
    data: Mapping[str, Any], moved: Sequence[OldKey], where: str
) -> tuple[dict[str, Any], list[OldKey]]:
    """The same values under today's keys, and the old keys that gave some of them; `moved` are those that
    went to another table. ConfigError, which names `where` they were read, for an old key beside the one that
    replaced it."""
    renewed, used = dict(data), list[OldKey]()
    renamed = [
        OldKey((*path, old), (*path, new))
        for pattern, names in RENAMED.items()
        for path, table in _tables(data, pattern)
        for old, new in names.items()
        if old in table
    ]
    for key in (*renamed, *moved):
        if _get(data, key.written) is not None:
            _move(renewed, key, where)
            used.append(key)
    for key in used:
        _copied(renewed, key.written[:-1]).pop(key.written[-1], None)
    return renewed, used


def _get(data: Any, place: Place) -> Any:
    for part in place:
        if isinstance(part, int) != isinstance(data, list) or (isinstance(data, dict) and part not in data):
            return None
        data = data[part]
    return data


def _tables(data: Any, pattern: tuple[str, ...], path: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every table that a pattern of keys leads to."""
    if not pattern:
        if isinstance(data, dict):
            yield path, data
        return
    first, *rest = pattern
    found: list[tuple[str | int, Any]] = []
    if isinstance(data, dict):
        found = [(key, value) for key, value in data.items() if first in (EACH, key)]
    elif isinstance(data, list) and first == EACH:
        found = list(enumerate(data))
    for key, each in found:
        yield from _tables(each, tuple(rest), (*path, key))


def _move(data: dict[str, Any], key: OldKey, where: str) -> None:
    """Move a value to its new place. The tables on the way are copied, so the data read stays unchanged."""
    value = _get(data, key.written)
    target = _copied(data, key.place[:-1])
    if key.place[-1] in target:
        old, new = words(key.written), words(key.place)
        raise ConfigError(
            f"{old} is the old name of {new}, and both are given",
            where=where,
            remedy=f"Take {old} out",
        )
    target[key.place[-1]] = _whole(value) if key.place[-1] == "min_gas_hours" else value


def _copied(data: Any, path: Place) -> Any:
    """The table at this path, which is the data's own from now on."""
    for part in path:
        below = data.get(part, {}) if isinstance(data, dict) else data[part]
        data[part] = below.copy()
        data = data[part]
    return data


def _whole(hours: object) -> object:
    """Hours, rounded up from the fractions that the old key took: an early alert does no harm."""
    try:
        return math.ceil(Decimal(str(hours)))
    except (InvalidOperation, ValueError, OverflowError):
        return hours
