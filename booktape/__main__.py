"""`python -m booktape` is the `booktape` command, and its console script begins here, too."""

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line. A signal ends it with one line, from before its modules are loaded."""
    # booktape multiplies no matrices, and to begin a thread of NumPy's BLAS takes 0.1 s of a processor.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from recorder.runtime.signals import Interrupting

        # These end a command that does not handle them with one line. `nohup` has SIGHUP ignored, and a shell
        # has Ctrl-C ignored for what it runs in the background.
        interrupting = Interrupting()
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if each == signal.SIGTERM or signal.getsignal(each) != signal.SIG_IGN:
                signal.signal(each, interrupting)
        from recorder.runtime.memory import collect_rarely

        collect_rarely()
        from booktape.cli.main import main as run

        run()
    except KeyboardInterrupt:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)  # the process is about to end
        with suppress(OSError, AttributeError):  # stderr is closed
            sys.stderr.write("Error: interrupted\n")
        sys.exit(1)


if __name__ == "__main__":
    if not sys.flags.safe_path:  # the current directory last: no file in it is taken for an installed module
        sys.path.append(sys.path.pop(0))
    main()
