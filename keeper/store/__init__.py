"""SQLModel tables, Alembic migrations and the session factory."""
