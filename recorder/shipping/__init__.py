"""Copying a tape to an object store, also while it is recorded; what readers see there is always whole."""
