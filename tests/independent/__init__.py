"""Second implementations, which share no code with the product."""
