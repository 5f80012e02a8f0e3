"""Single-row writes where milliseconds count: statements built once, without the session's unit of work.

The row then belongs to the session as if it had been loaded; a change of it is not tracked twice.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from sqlalchemy import Column, Insert, Table, Update, bindparam, insert, update
from sqlalchemy.orm import make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import Session, SQLModel


def insert_row(session: Session, row: SQLModel) -> None:
    """Write a new row at once; its id is set where the database assigns one."""
    kind = type(row)
    values = {name: getattr(row, name) for name in _columns(kind)}
    key = _number(kind)
    if key is not None and values[key] is None:
        values.pop(key)
        number = session.connection().execute(_insert(kind), values).scalar_one()
        setattr(row, key, number)
    else:
        session.connection().execute(_insert(kind), values)
    make_transient_to_detached(cast(Any, row))
    session.add(row)


def insert_values(session: Session, kind: type[SQLModel], **values: object) -> None:
    """Write a row that nobody will hold; every column without a database default must be given."""
    session.connection().execute(_plain(kind), values)


def update_row(session: Session, row: SQLModel, **values: object) -> None:
    """Change columns of a stored row at once; other changes of it stay unwritten."""
    kind = type(row)
    keys = {f"key_{column.name}": getattr(row, column.name) for column in _table(kind).primary_key}
    session.connection().execute(_update(kind, tuple(sorted(values))), {**keys, **values})
    for name, value in values.items():
        set_committed_value(row, name, value)


def _table(kind: type[SQLModel]) -> Table:
    return cast(Table, cast(Any, kind).__table__)


@cache
def _columns(kind: type[SQLModel]) -> tuple[str, ...]:
    return tuple(column.name for column in _table(kind).columns)


@cache
def _number(kind: type[SQLModel]) -> str | None:
    """The column whose number the database assigns."""
    column: Column[Any] | None = _table(kind).autoincrement_column
    return None if column is None else column.name


@cache
def _plain(kind: type[SQLModel]) -> Insert:
    return insert(_table(kind))


@cache
def _insert(kind: type[SQLModel]) -> Insert:
    statement = insert(_table(kind))
    number = _table(kind).autoincrement_column
    return statement if number is None else statement.returning(number)


@cache
def _update(kind: type[SQLModel], names: tuple[str, ...]) -> Update:
    table = _table(kind)
    statement = update(table).values({name: bindparam(name) for name in names})
    for column in table.primary_key:
        statement = statement.where(column == bindparam(f"key_{column.name}"))
    return statement
