"""Execution, from journal to chain and back: rehearse, sign, send, follow, settle. Knows no protocol."""
