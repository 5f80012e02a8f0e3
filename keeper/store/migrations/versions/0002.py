"""Every number that a chain tells is 64 bits wide; attempts that never left, losses, data fees

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

import keeper.store.types

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

# Columns that were 32 bits wide on PostgreSQL, and whether each may be empty.
WIDENED = {
    'checkpoint': {'block': False},
    'market_status': {'block': False, 'revision': False},
    'chain_status': {'block': False, 'acted_block': False, 'requests': False, 'gas_hours': True},
    'price_status': {'block': False},
    'price_fault': {'opened_block': False, 'closed_block': True},
    'episode': {'opened_block': False, 'closed_block': True},
    'intent': {'planned_block': False, 'ended_block': True},
    'chain_transaction': {
        'nonce': False,
        'gas_limit': False,
        'signed_block': False,
        'first_block': False,
        'relayed_block': True,
        'block': True,
        'gas_used': True,
    },
    'transition': {'block': True},
    'standing_allowance': {'since_block': False},
    'signer_nonce': {
        'counted': False,
        'foreign': False,
        'foreign_nonce': True,
        'foreign_block': True,
    },
}


def upgrade() -> None:
    big = keeper.store.types.BigInt(length=80)
    added = {
        'episode': [sa.Column('looked_at', sa.BigInteger(), nullable=True)],
        'intent': [
            sa.Column('unsent', sa.String(), nullable=False, server_default=''),
            sa.Column('loss', big, nullable=False, server_default='0'),
        ],
        'chain_transaction': [sa.Column('data_fee', big, nullable=True)],
    }
    for table, columns in WIDENED.items():
        with op.batch_alter_table(table) as batch:
            for column, empty in columns.items():
                batch.alter_column(
                    column, existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=empty
                )
            for column in added.get(table, []):
                batch.add_column(column)
    # The old rows have their values; new ones bring their own.
    for column in ('unsent', 'loss'):
        with op.batch_alter_table('intent') as batch:
            batch.alter_column(column, server_default=None)


def downgrade() -> None:
    raise NotImplementedError('an older keeper cannot read what this one wrote: restore a copy of the store')
