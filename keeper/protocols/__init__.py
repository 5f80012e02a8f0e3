"""One folder a protocol, all behind the interface in base.py."""
