"""Exact arithmetic of lending protocols: one folder per protocol, rules by version."""
