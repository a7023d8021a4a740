"""The files of a tape: a module for each kind, which reads and writes it; a segment has one for each."""
