"""The words as values: valuation, offer, cure, purse, plan, money. No I/O."""
