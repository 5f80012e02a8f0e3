"""A rehearsal on a fork: the same daemon, live, against a copy of the configured chain."""
