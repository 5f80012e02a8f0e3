"""Dynamic portfolio risk margin (DPRM): one worst loss of the whole account over a set of scenarios.

Options, perpetuals, spot and collateral on any number of underlyings; arrays in, arrays out, one row per
account. `docs/MARGIN-options.md` gives the formulas.
"""
