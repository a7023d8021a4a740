"""Output for people on a terminal: tables, the panel, progress. The only package that imports rich."""
