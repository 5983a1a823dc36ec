"""Ends the trials' processes when the runner is gone, however it went.

Runs as a process of its own, `python -I guard.py`, with the standard library only. It reads lines from its standard
input, `+PGID` from a process group that starts and `-PGID` for one that ended; at the end of the input, which comes
with the runner's death by any signal, it kills the groups that are left.
"""

import os
import signal
import sys


def main() -> None:
    """Follow the groups until the runner is gone."""
    # Ctrl-C goes to the whole foreground group: the runner drains then, and needs its guard until the end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
