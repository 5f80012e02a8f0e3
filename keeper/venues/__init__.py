"""Venues where seized tokens can be exchanged, one folder per venue."""
