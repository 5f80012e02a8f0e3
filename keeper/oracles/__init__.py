"""Price sources resolved to their leaf feeds, read with everything else of a block, and judged by guards."""
