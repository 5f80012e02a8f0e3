"""Option prices, Greeks, implied volatilities, and the option margins of venues and protocols."""
