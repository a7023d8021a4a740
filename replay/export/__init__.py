"""Export of tapes and results to the formats of other tools: still to be written.

A module for each format. Each streams batches of rows from a tape or a run into its file, in bounded memory
whatever the length of the tape, and publishes the file only when it is complete.
"""
