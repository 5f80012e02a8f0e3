"""Aave v3: pooled reserves, every version through one lens; arithmetic in keeper.margin.lending.aave."""
