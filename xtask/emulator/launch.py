"""Starts MiniStack and stops it together with the parent process.

The parent holds our standard input open. When it closes, because the parent has
exited or was killed, the whole process group ends: emulator and function processes.
"""

import functools
import gc
import os
import signal
import socketserver
import sys
import threading


def stop_with_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    # The process group contains only our processes: the parent started us as its leader.
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    # Without TCP_NODELAY, a small response on the Lambda runtime socket waits about 40 ms for the
    # acknowledgement of its headers.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    threading.Thread(target=stop_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    from ministack.app import main as ministack
    from ministack.services import dynamodb

    # A query checks the syntax of its condition for every item, and each check leaves a cycle of
    # closures behind. With 200 running jobs, this took half of the emulator's time and delayed
    # every function.
    dynamodb._condition_syntax_error = functools.lru_cache(1024)(dynamodb._condition_syntax_error)
    # The emulator keeps all its data in memory. Frequent garbage collections over all of it would
    # pause every function.
    gc.set_threshold(50_000, 50, 1000)
    ministack()


main()
