"""Switches of our own: find or unpack an Asterisk, run it as a subprocess, and a lab of three that proves the gate."""
