"""What a PBX includes: the `.conf` fragments, and the names by which the PBX and Heedline speak on a channel."""
