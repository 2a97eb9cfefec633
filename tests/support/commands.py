"""Records the commands that reach the database."""

from typing import Any

from pymongo.monitoring import CommandListener


class Commands(CommandListener):
    """Records the commands that reached the server since ``clear``: name and body, in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def clear(self) -> None:
        self.sent.clear()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.sent]

    def started(self, event: Any) -> None:
        self.sent.append((event.command_name, dict(event.command)))

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


class Servers(CommandListener):
    """Who was asked for what: the port and the command, transactions apart."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str, dict[str, Any]]] = []

    def started(self, event: Any) -> None:
        self.asked.append((event.connection_id[1], event.command_name, dict(event.command)))

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...
