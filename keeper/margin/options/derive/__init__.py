"""Derive (Lyra v2): its Standard Risk Manager and its Portfolio Margin Risk Managers, v1 and v2.

Source: derivexyz/v2-core, src/risk-managers, and lyra-utils Black76. The contracts compute in 18-digit fixed
point with their own approximations of exp, ln and N; these models compute the same formulas in float64 and
agree with the contracts' published cases to 1e-8. They screen and explain; at the edge of a threshold the
contract's own view decides.
"""
