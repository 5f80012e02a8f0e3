"""Watching: prices, exact values, judging them and comparing them with the contract."""
