"""Reporting, after acting: status, record, ledger and market alerts."""
