"""Benchmarks of the evidence: sealing, verifying, the gate beside it, proofs from a long log, and its size."""
