"""The tables. Intents and transactions are separate: batches, replacements and nonces belong to
transactions."""

from keeper.store.tables import alerts as alerts
from keeper.store.tables import journal as journal
from keeper.store.tables import watching as watching
