"""Spoken refusals: recogniser engines behind one streaming interface, and what listens with them."""
