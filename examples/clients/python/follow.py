"""Follows what changes of any customer: `python follow.py` with GATEWAY and TOKEN set. A file keeps the cursor."""

import json
import os
import time
from pathlib import Path

import httpx2

CURSOR = Path("changes.cursor")
QUERY = """query ($after: String) { changes(first: 100, after: $after) {
  nodes { kind customerId revision customer { number mergedInto { id } } } endCursor hasNextPage } }"""

with httpx2.Client(headers={"Authorization": f"Bearer {os.environ['TOKEN']}"}, timeout=30) as client:
    while True:
        after = CURSOR.read_text() if CURSOR.exists() else None
        answer = client.post(os.environ["GATEWAY"], json={"query": QUERY, "variables": {"after": after}}).json()
        if "errors" in answer:  # FEED_EXPIRED: read all customers again, and begin from `head`
            raise SystemExit(json.dumps(answer["errors"]))
        page = answer["data"]["changes"]
        for change in page["nodes"]:
            print(json.dumps(change), flush=True)  # here your copy is brought up to date, before the cursor is kept
        if page["endCursor"]:
            CURSOR.write_text(page["endCursor"])
        if not page["hasNextPage"]:
            time.sleep(1)
