"""Watching: prices, exact values, what is judged of them and compared with the contract."""
