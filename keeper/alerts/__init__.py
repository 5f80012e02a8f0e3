"""Alerts: what to report to whom, each once."""
