"""What a command prints that has written a tape."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recorder.recorded import Recorded


def print_recorded(recorded: "Recorded", as_json: bool) -> None:
    """Print what was recorded or imported: tables, or the JSON document."""
    from recorder import terminal

    if as_json:
        terminal.print_json(recorded.document())
        return
    console = terminal.stdout()
    tallies = recorded.tallies
    threshold = next(iter(tallies.values())).threshold
    console.print(terminal.heading(tallies, recorded.tape, recorded.feed))
    console.print(terminal.tally_table(console, tallies, threshold))
    console.print(terminal.quality(tallies))
    for line in recorded.notes():
        console.print(line)
    if recorded.strategy is not None:
        console.print(recorded.strategy.line())
