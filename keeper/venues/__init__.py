"""Where what is seized can be exchanged: one folder a venue."""
