"""Margin schedules: requirements that grow with a position's size, and the prices they lead to."""
