"""dYdX v4: risk of a subaccount and its liquidation prices, integers and exact rationals."""
