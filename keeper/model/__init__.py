"""The glossary as values: valuation, offer, cure, purse, plan, money. No I/O."""
