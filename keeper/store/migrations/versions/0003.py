"""Tables, columns and stored words by the names of the glossary

Revision ID: 0003
"""

import re

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

TABLES = {'booking': 'ledger_entry', 'carriage': 'transaction_intent'}

# By the tables' new names.
COLUMNS = {
    'alert': {'once': 'dedup_key'},
    'chain_status': {'stands_back': 'standby_reason'},
    'episode': {'held': 'blocked_reason', 'opens_at': 'retry_at'},
    'market_status': {'acting': 'may_act', 'reason': 'watch_only_reason'},
    'price_status': {'second': 'second_price'},
}

# Kinds of alerts. Their keys name them too: what was told today is not told again under its new name.
KINDS = {
    'market_notice': 'market_warning',
    'market_notice_over': 'market_warning_over',
    'misnamed': 'unknown_name',
    'not_booked': 'not_posted',
    'stands_back': 'standby',
}
KEYS = {
    'market_warning': ('notice:', 'market_warning:'),
    'market_warning_over': ('notice:', 'market_warning:'),
    'unknown_name': ('misnamed:', 'unknown_name:'),
    'not_posted': (':not_booked:', ':not_posted:'),
    'standby': (':stands_back:', ':standby:'),
}

# Keys of JSON are told from words in it by their quotes, which are escaped there.
PLAN_KEYS = {'first_gas': 'cold_gas', 'leg': 'batch_item'}


def upgrade() -> None:
    for old, new in TABLES.items():
        op.rename_table(old, new)
    for table, columns in COLUMNS.items():
        for old, new in columns.items():
            # Both databases rename a column where it stands; nothing has to be copied.
            op.execute(f'ALTER TABLE {table} RENAME COLUMN {old} TO {new}')
    if op.get_bind().dialect.name == 'postgresql':
        _rename_constraints()
    live = sa.text("state IN ('signed', 'sent', 'included', 'orphaned')")
    op.drop_index('one_live_transaction_a_nonce', 'chain_transaction')
    op.create_index(
        'one_live_transaction_per_nonce',
        'chain_transaction',
        ['chain', 'sender', 'nonce'],
        unique=True,
        sqlite_where=live,
        postgresql_where=live,
    )
    _rename_words()


def _rename_constraints() -> None:
    """PostgreSQL names them after tables and columns, and keeps those names."""
    tables = {new: old for old, new in TABLES.items()}
    for table in (*tables, *COLUMNS):
        asked = sa.text('SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass)')
        for name in op.get_bind().execute(asked, {'name': table}).scalars().all():
            kind = name.removeprefix(f'{tables.get(table, table)}_')
            for old, new in COLUMNS.get(table, {}).items():
                kind = re.sub(f'^{old}_', f'{new}_', kind)
            if name != f'{table}_{kind}':
                op.execute(f'ALTER TABLE {table} RENAME CONSTRAINT "{name}" TO "{table}_{kind}"')


def _rename_words() -> None:
    alert = sa.table('alert', *map(sa.column, ('kind', 'dedup_key', 'body', 'fields')))
    replace = sa.func.replace
    for old, new in KINDS.items():
        op.execute(
            alert.update()
            .where(alert.c.kind == old)
            .values(
                kind=new,
                dedup_key=replace(alert.c.dedup_key, *KEYS[new]),
                body=replace(
                    replace(alert.c.body, f'kind: {old}\n', f'kind: {new}\n'), '\nnotice: ', '\nwarning: '
                ),
                fields=replace(alert.c.fields, '"notice": ', '"warning": '),
            )
        )
    intent = sa.table('intent', *map(sa.column, ('plan', 'unsent')))
    op.execute(intent.update().where(intent.c.unsent == 'watched only').values(unsent='watch only'))
    for old, new in PLAN_KEYS.items():
        op.execute(
            intent.update()
            .where(intent.c.plan.contains(f'"{old}": '))
            .values(plan=replace(intent.c.plan, f'"{old}": ', f'"{new}": '))
        )


def downgrade() -> None:
    raise NotImplementedError('an older keeper cannot read what this one wrote: restore a copy of the store')
