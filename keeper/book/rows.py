"""Accounts by row, with their records as the lens packed them, and the view that decodes them one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic

from keeper.book.source import A


class Rows:
    """Row numbers are given once and never change; an account that left keeps its row, without a stake."""

    def __init__(self, owner: Callable[[str], str] = lambda account: account) -> None:
        """Start empty; `owner` answers the address whose account it is."""
        self._owner = owner
        self.records: list[bytes] = []
        self._keys: list[bytes] = []
        self._row: dict[bytes, int] = {}
        self._of_owner: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.records)

    def row(self, account: str) -> int | None:
        """The row of an account (0x hex, any case)."""
        return self._row.get(bytes.fromhex(account[2:]))

    def of(self, owner: str) -> list[int]:
        """The rows of all accounts of this owner, or of the one account of this key."""
        row = self.row(owner)
        return [row] if row is not None else list(self._of_owner.get(owner.lower(), ()))

    def account(self, row: int) -> str:
        """The account of a row, lower case."""
        return "0x" + self._keys[row].hex()

    def put(self, account: str, record: bytes) -> tuple[int, bytes]:
        """Keep a record; its row, and the record it replaces (empty for a new account)."""
        key = bytes.fromhex(account[2:])
        row = self._row.get(key)
        if row is None:
            row = self._row[key] = len(self.records)
            self._keys.append(key)
            owner = self._owner(account)
            if owner != account:
                self._of_owner.setdefault(owner.lower(), []).append(row)
            self.records.append(record)
            return row, b""
        before, self.records[row] = self.records[row], record
        return row, before


class AccountRows(Mapping[str, A], Generic[A]):
    """Mapping of every account in the rows (lower case), each decoded when read."""

    def __init__(self, rows: Rows, decode: Callable[[bytes], A]) -> None:
        self._rows = rows
        self._decode = decode

    def __getitem__(self, account: str) -> A:
        row = self._rows.row(account)
        if row is None:
            raise KeyError(account)
        return self._decode(self._rows.records[row])

    def __contains__(self, account: object) -> bool:
        return isinstance(account, str) and self._rows.row(account) is not None

    def __iter__(self) -> Iterator[str]:
        return (self._rows.account(row) for row in range(len(self._rows)))

    def __len__(self) -> int:
        return len(self._rows)
