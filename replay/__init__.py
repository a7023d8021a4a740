"""From a tape back through the same core: replay, pacing, comparison, verification, the demo."""
