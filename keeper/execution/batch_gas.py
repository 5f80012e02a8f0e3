"""Gas that parts of a batch use, and the gas granted to them."""

from __future__ import annotations

MOST_TRANSACTION_GAS = 2**24
"""EIP-7825: the highest gas limit that a transaction may have."""
# What a batch takes besides its items, measured (docs/LIQUIDATOR.md): the transaction, bookkeeping, and what
# the first item touches for all others; then each loan, each exchange and each token.
BASE_GAS = 195_000
LOAN_GAS = 125_000
SWAP_GAS = 90_000
TOKEN_GAS = 10_000
# What comes after the items, and so must be left for: sending the profit, and paying back each loan.
END_GAS = 50_000
PAYBACK_GAS = 45_000
# A item may burn this much more than expected, and what the first one touches, before it is cut off.
CAP_PERCENT = 130
COLD_GAS = 250_000
# Refunds give back up to a fifth, but only at the end: the limit must cover what is given back. And what the
# last item may not touch: the reserve for what comes after it, and a 64th kept back at each call into a call.
LIMIT_PERCENT = 127
SLACK_GAS = 220_000
MOST_ITEMS = 200


def limit(used: int) -> int:
    """The gas limit for a batch that uses `used` after refunds; `split` keeps it below a transaction's
    maximum."""
    return used * LIMIT_PERCENT // 100 + SLACK_GAS


def within(gas_limit: int) -> int:
    """The measured gas of a batch that has this limit."""
    return max(gas_limit - SLACK_GAS, 0) * 100 // LIMIT_PERCENT


def cap(gas: int) -> int:
    return gas * CAP_PERCENT // 100 + COLD_GAS
