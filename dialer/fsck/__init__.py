"""The log, derived again from the raw rows, and every difference told.

It shares with what writes the log only the arithmetic of `dialer.verifier` (tree, leaf, note). Pure; rows are passed
in.
"""
