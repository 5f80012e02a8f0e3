"""Everything about a chain that is not a protocol: nodes, blocks, logs, calls, signing, sending."""
