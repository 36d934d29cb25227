"""What a PBX includes, and the names that both sides of the channel agree on."""
