"""Start a command that dies with the process that asked for it.

Run as a script (`python -I launch.py PARENT_PID COMMAND...`), standard library only: it sets the parent-death signal on
itself, then becomes the command. The signal survives exec (prctl(2)) but is tied to the *thread* that forked, so the
caller must start it from a thread that lives as long as the command should.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become `arguments[1:]`, unless the parent `arguments[0]` has ended meanwhile."""
    parent, command = int(arguments[0]), arguments[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # A parent that ended before prctl sends nothing any more.
    if os.getppid() != parent:
        raise SystemExit("the parent process has ended")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
