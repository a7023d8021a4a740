"""The command line: a module a command. Each checks its options, makes one call and prints."""
