"""The recorder's commands, a module a kind in `recorder.commands`. Heavy imports wait until one runs."""

from recorder.commands.compacting import compact
from recorder.commands.importing import import_
from recorder.commands.recording import live, record

COMMANDS = (record, live, import_, compact)
