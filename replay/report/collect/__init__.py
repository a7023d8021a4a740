"""Collectors that watch a pass for a report; their size is bounded whatever the length of the tape."""
