"""The operator's policy: thresholds, episodes, caps, profitability. Pure."""
