"""Sends lines of docs/import.md as they come: `a queue's consumer | python send.py`, with GATEWAY and TOKEN set.

Every two seconds, or a thousand lines, what has come on standard input is sent, again and again until the gateway has
answered each line: what comes twice is the same as once. Prints what was rejected. GATEWAY is the address of /import.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from queue import Empty, Queue
from threading import Thread

import httpx2

AT_MOST, EVERY_SECONDS, PAUSE_SECONDS = 1_000, 2.0, 1.0
END = b""


def read(lines: "Queue[bytes]") -> None:
    for line in sys.stdin.buffer:
        lines.put(line if line.endswith(b"\n") else line + b"\n")
    lines.put(END)


def batches(lines: "Queue[bytes]") -> Iterator[list[bytes]]:
    """Yields what has come, never nothing, until the input ends."""
    while True:
        batch = [lines.get()]
        until = time.monotonic() + EVERY_SECONDS
        while batch[-1] != END and len(batch) < AT_MOST:
            try:
                batch.append(lines.get(timeout=max(0.0, until - time.monotonic())))
            except Empty:
                break
        if batch != [END]:
            yield [line for line in batch if line != END]
        if batch[-1] == END:
            return


def send(client: httpx2.Client, batch: list[bytes]) -> list[dict[str, str]]:
    """Returns the answers, one for each line. Tries until there are that many."""
    while True:
        try:
            response = client.post(os.environ["GATEWAY"], content=b"".join(batch))
            answers = [json.loads(line) for line in response.text.splitlines()]
            if response.status_code not in (200, 429, 503):
                raise SystemExit(response.text)  # the token, say: it will not be better the next time
            if "summary" in answers[-1]:
                return [answer for answer in answers if "outcome" in answer]
            reason = answers[-1]
        except (httpx2.TransportError, ValueError) as broken:
            reason = broken
        print(f"Not answered: {reason}", file=sys.stderr, flush=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    queue: "Queue[bytes]" = Queue(maxsize=10 * AT_MOST)
    Thread(target=read, args=(queue,), daemon=True).start()
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": "application/x-ndjson"}
    with httpx2.Client(headers=headers, timeout=120) as client:
        for batch in batches(queue):
            for answer in send(client, batch):
                if answer["outcome"] == "REJECTED":
                    told = {**answer, "input": batch[int(answer["line"]) - 1].decode(errors="replace").strip()}
                    print(json.dumps(told, ensure_ascii=False), flush=True)
