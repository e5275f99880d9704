"""A worker for tests that kill it: set up once, then a new process for each line on standard input.

    fork    → starts a worker process and prints its id; it runs jobs until it is killed

Starting Celery takes seconds and says nothing about rollouts; these are real processes too, with
their own connections, running the same ``jobs.services.run`` as Celery's.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import django


def work() -> None:
    from jobs.registry import QUEUES
    from jobs.services import reap
    from jobs.services.claim import claim_next
    from jobs.services.run import run

    while os.getppid() != 1:
        reap.reap()
        claim = claim_next(QUEUES)
        if claim is None:
            time.sleep(0.05)
        else:
            run(claim)


def main() -> None:
    django.setup()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the killed ones are not waited for
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            sys.stdin.close()
            work()
            os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
