"""What can go wrong in a way that the user can act on.

Every exception that a command turns into one line and exit code 1 derives from `BooktapeError`:

    BooktapeError
    ├── ThresholdError      a threshold that is not a fraction (here)
    ├── StrategyError       orderbook.strategy: a user's strategy that fails, or gives other rows than it says
    ├── TapeError           recorder.tape.errors: not a tape, a newer one, locked, damaged, unknown product
    ├── CaptureError        recorder.captures: a line that is not of its format
    ├── FeedError           recorder.feeds: the exchange refused what we asked for
    ├── CompareError        replay.comparing: a horizon or tapes that cannot be compared
    └── RunError            replay.rundir: a RUN directory that exists already
"""


class BooktapeError(Exception):
    """Base of all errors that are meant for the user: `str()` is one clear line."""


class ThresholdError(BooktapeError, ValueError):
    """The text is not a threshold: `0.1%`, `10bps` or `0.001`, never negative."""
