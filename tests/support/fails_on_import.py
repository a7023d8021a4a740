"""A module that cannot be imported."""
