"""Examples that the README names; each is run by a test."""
