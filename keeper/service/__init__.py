"""The daemon: the loops wired together under APScheduler."""
