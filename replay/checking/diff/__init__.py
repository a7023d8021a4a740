"""The differences between two tapes or two RUN directories."""
