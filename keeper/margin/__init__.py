"""Margin requirements of single accounts: pure functions of integers and arrays. No I/O, no clock."""
