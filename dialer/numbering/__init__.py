"""What `dialer.numbers` is made of: reading a text, the number plans, China's service codes, areas and time zones.

Import `dialer.numbers`; the modules here are its inner rooms. None of them does input or output beyond reading its own
data file once, at import.
"""
