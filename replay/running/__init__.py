"""Replaying a tape: settings, timing, window, results."""
