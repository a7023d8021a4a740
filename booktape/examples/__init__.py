"""Examples of the docs; a test runs each."""
