"""Value at Risk, Expected Shortfall, volatility, backtests and margins that follow volatility."""
