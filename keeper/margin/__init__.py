"""Individual margin requirements: pure functions, integers and arrays in and out. No I/O, no clock."""
