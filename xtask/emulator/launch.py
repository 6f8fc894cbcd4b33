"""Starts MiniStack and ends with whoever started it.

The parent holds our standard input. When it closes (the parent ended, however
that came about), the whole process group ends: emulator and function processes.
"""

import os
import signal
import socketserver
import sys
import threading


def end_with_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    # The group is ours alone: the parent started us as its leader.
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    # A small answer on the Lambda runtime socket otherwise waits ~40 ms for the
    # acknowledgement of its headers.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    from ministack.app import main as ministack

    ministack()


main()
