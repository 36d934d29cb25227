"""Evidence: what is witnessed, in canonical bytes. Pure."""
