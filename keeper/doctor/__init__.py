"""The doctor's examination: one file a kind of part, one line a finding, with a remedy for each fault."""
