"""Lets this process, and those that it starts, have as many open files as its host allows.

The soft limit, 1,024 under systemd and in many shells, is there for programs that wait by `select`, which ours do not.
A server has one for each connection, also an idle one. mongod has one for each collection and each index: with 1,024 it
aborts at the third check of an import.
"""

import resource
from contextlib import suppress


def allow_open_files() -> tuple[int, int]:
    """Returns the soft and the hard limit that there were, for ``resource.setrlimit``."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, most = before
    with suppress(ValueError):  # macOS says that there is no limit, and takes no number beyond another one
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return before
