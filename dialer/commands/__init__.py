"""The commands of `heedline`, one group a module; `dialer.cli` assembles them."""
