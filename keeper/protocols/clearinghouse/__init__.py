"""Our own clearinghouse: portfolio margin by joint scenarios, proved by a witness (docs/CLEARINGHOUSE.md)."""
