"""Reporting, after acting: status, record, ledger and alerts of the market."""
