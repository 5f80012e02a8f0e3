"""Exact arithmetic of lending protocols, one folder a protocol, rules by version."""
