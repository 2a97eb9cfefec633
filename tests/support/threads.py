"""The whole application on a real port, in a thread of this process."""

from collections.abc import Generator
from contextlib import contextmanager
from threading import Thread

import uvicorn

from app.environment import Settings
from app.main import application


@contextmanager
def served(settings: Settings, mongodb_uri: str, *, port: int = 0) -> Generator[str]:
    """Runs the application, and gives its address."""
    config = uvicorn.Config(application(settings, mongodb_uri=mongodb_uri), port=port, log_level="warning")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
