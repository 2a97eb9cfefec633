"""Runs the executor of examples/executor beside the demo, so that a refund really goes round."""

import os
import secrets
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app.catalogue.external_requests import REQUEST_KINDS

PROGRAM: Final = Path(__file__).parents[2] / "examples" / "executor" / "app.py"
_BY_HAND: Final = frozenset({"OUTSIDE_PAYMENT", "KYC_DOCUMENT_LINK", "CREDIT_MEMO"})
"""What people do in the demo, to show that, too."""


@contextmanager
def executor(gateway: str, folder: Path | None) -> Generator[Path | None]:
    """Yields the file that connects it to a gateway; None where the examples are not installed.

    What it has to do is kept in ``folder``; without one it forgets everything when it ends.
    """
    if not PROGRAM.exists():
        yield None
        return
    secret = f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"
    command = [sys.executable, str(PROGRAM), "--port", "0", "--until-stdin-ends"]
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        command += ["--database", str(folder / "executor.sqlite")]
    environment = os.environ | {"GATEWAY": gateway, "SECRET": secret}
    with (
        subprocess.Popen(  # noqa: S603 # ours
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as running,
        tempfile.TemporaryDirectory(prefix="gateway-executor-") as own,
    ):
        assert running.stdout
        assert running.stdin
        address = running.stdout.readline().strip()
        file = Path(own, "executors.toml")
        file.touch(mode=0o600)
        kinds = ", ".join(f'"{kind}"' for kind in REQUEST_KINDS if kind not in _BY_HAND)
        file.write_text(
            f'[[endpoints]]\nname = "demo"\nurl = "{address}/requests"\nsecrets = ["{secret}"]\n'
            f"kinds = [{kinds}]\nprivate = true\n"
        )
        try:
            yield file
        finally:
            running.stdin.close()
            try:
                running.wait(5)
            except subprocess.TimeoutExpired:
                running.kill()
