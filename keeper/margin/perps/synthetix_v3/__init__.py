"""Synthetix v3 perps market: 18-decimal integers, truncated towards zero as its DecimalMath does."""
