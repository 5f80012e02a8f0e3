"""The commands. Thin: each reads options, calls a service, and prints a table or JSON."""
