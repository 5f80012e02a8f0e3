"""Writes a migration from the difference between the tables and the newest migration.

Usage: python -m scripts.new_migration "what changes"
"""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

from keeper.store.database import MIGRATIONS, open_store

config = Config()
config.set_main_option("script_location", str(MIGRATIONS))
config.set_main_option("file_template", "%%(rev)s")
Path("build").mkdir(exist_ok=True)
scratch = Path("build/migration.db")
scratch.unlink(missing_ok=True)
store = open_store(f"sqlite:///{scratch}") if any(MIGRATIONS.glob("versions/*.py")) else None
if store is None:
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{scratch}")
else:
    engine = store.engine
with engine.begin() as connection:
    config.attributes["connection"] = connection
    number = len(list(MIGRATIONS.glob("versions/[0-9]*.py"))) + 1
    command.revision(config, sys.argv[1], autogenerate=True, rev_id=f"{number:04d}")
