"""The replay side's commands, a module each or a few of a kind in `replay.commands`.

Each checks its options, makes one call and prints. Heavy imports wait until a command runs.
"""

from replay.commands.comparing import compare
from replay.commands.demo import demo
from replay.commands.diffing import diff
from replay.commands.looking import book, index, inspect, verify
from replay.commands.replaying import replay
from replay.commands.serving import serve

COMMANDS = (replay, compare, inspect, book, verify, index, diff, serve, demo)
