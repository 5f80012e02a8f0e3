"""The tables. Intent and transaction are apart: batches, replacements and nonces belong to the latter."""

from keeper.store.tables import alerts as alerts
from keeper.store.tables import journal as journal
from keeper.store.tables import watching as watching
