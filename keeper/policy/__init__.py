"""The operator's will: thresholds, episodes, caps, profitability. Pure."""
