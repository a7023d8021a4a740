"""Import of captures that other recorders made: formats, a first pass that checks them, and their rows."""
