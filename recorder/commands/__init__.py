"""The recorder's commands: each checks its options, makes one call and prints."""
