"""The commands of the replay side: options checked, one call made, the result printed."""
