"""Lyra Avalon: option prices, minimum collateral and closing costs of shorts, in the contracts' integers."""
