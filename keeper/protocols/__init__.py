"""One folder per protocol, all behind the interface in roles/."""
