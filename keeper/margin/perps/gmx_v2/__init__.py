"""GMX v2: price impact by binary fixed-point powers, and when a position is liquidatable."""
