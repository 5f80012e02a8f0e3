"""Morpho Blue: isolated markets of one loan and one collateral token, all in one singleton contract."""
