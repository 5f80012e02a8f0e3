"""The clearinghouse's arithmetic in integers, equal to its contracts' to the unit.

`contracts/src/clearinghouse/` has the same, name by name; docs/CLEARINGHOUSE.md has the formulas. Money has
18 decimals, sizes and prices 9; fractions, volatilities and deviations 18. Time is in seconds.
"""
