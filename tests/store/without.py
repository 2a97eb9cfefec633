"""Runs Python with names of PyMongo's gone: ``python -m tests.store.without NAME,NAME pytest ARGUMENTS``.

As if another version had them no more: PyMongo itself, which was imported before, goes on with its own.
``version=4.99.0`` among the names pretends to be another version.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


def hide(name: str) -> None:
    """Whoever imports this module from now on gets one without the name: ``pymongo._csot.DEADLINE``."""
    path, _, attribute = name.rpartition(".")
    package, _, last = path.rpartition(".")
    module = import_module(path)
    without = ModuleType(path, module.__doc__)
    vars(without).update({key: value for key, value in vars(module).items() if key != attribute})
    sys.modules[path] = without
    setattr(import_module(package), last, without)


def main() -> int:
    names, kind, *arguments = sys.argv[1:]
    import pymongo

    import_module("motor.motor_asyncio")  # and with it all of PyMongo

    for name in names.split(","):
        if name.startswith("version="):
            pymongo.version = name.removeprefix("version=")
        else:
            hide(name)
    if kind == "pytest":
        import pytest

        return pytest.main(arguments)
    exec(arguments[0], {"__name__": "__main__"})
    return 0


if __name__ == "__main__":
    made: Any = main()
    sys.exit(made)
