"""Planning: what acting costs and may cost, and what is done about every breach."""
