"""The demonstration: real switches, real calls, a table of what the gate did. Part of the wiring, like `dialer.app`."""
