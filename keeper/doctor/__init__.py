"""The doctor's checks: one file per kind of part, one line per finding, with a remedy for each fault."""
