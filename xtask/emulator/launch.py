"""Starts MiniStack and ends with whoever started it.

The parent holds our standard input. When it closes (the parent ended, however
that came about), the whole process group ends: emulator and function processes.
"""

import functools
import gc
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
    from ministack.services import dynamodb

    # A query checks the grammar of its condition once an item, and each check leaves a
    # cycle of closures behind. With 200 jobs under way that was half of all its time, in
    # which no function is answered.
    dynamodb._condition_syntax_error = functools.lru_cache(1024)(dynamodb._condition_syntax_error)
    # The cloud keeps what it is told: looking through all of it for cycles, again and
    # again, stops every function meanwhile.
    gc.set_threshold(50_000, 50, 1000)
    ministack()


main()
