"""Answers are compressed for whoever accepts gzip, and are the same bytes when unpacked."""

import gzip
import json
import re
from typing import Any

import httpx2
import pytest
from graphql import get_introspection_query

from app.http.content_encoding import accepts_gzip
from tests.support.tokens import token

LARGE = {"query": get_introspection_query()}
SMALL = {"query": "{ viewer { name } }"}


async def raw(client: httpx2.AsyncClient, method: str, path: str, *accepted: str, **given: Any) -> tuple[Any, bytes]:
    """The headers, and the body as it was sent."""
    headers = [("Authorization", f"Bearer {token()}"), *(("Accept-Encoding", each) for each in accepted)]
    request = client.build_request(method, path, headers=headers, **given)
    if not accepted:
        del request.headers["Accept-Encoding"]
    response = await client.send(request, stream=True)
    body = b"".join([part async for part in response.aiter_raw()])
    assert len(body) == int(response.headers["content-length"])
    assert "Accept-Encoding" in response.headers["vary"]
    return response.headers, body


async def test_who_accepts_gzip_gets_it_and_who_does_not_gets_the_same(client: httpx2.AsyncClient) -> None:
    plain_headers, plain = await raw(client, "POST", "/graphql", json=LARGE)
    headers, packed = await raw(client, "POST", "/graphql", "deflate", "br;q=1.0, gzip;q=0.8", json=LARGE)
    assert "content-encoding" not in plain_headers
    assert headers["content-encoding"] == "gzip"
    assert headers.get_list("vary", split_commas=True) == ["Accept", "Accept-Encoding"]
    assert json.loads(gzip.decompress(packed)) == json.loads(plain)
    assert len(packed) * 5 < len(plain)


async def test_what_fits_into_a_packet_is_left_as_it_is(client: httpx2.AsyncClient) -> None:
    headers, body = await raw(client, "POST", "/graphql", "gzip", json=SMALL)
    assert "content-encoding" not in headers
    assert json.loads(body)["data"] == {"viewer": {"name": "Tess Tester"}}


async def test_graphiqls_files_are_compressed_too(client: httpx2.AsyncClient) -> None:
    page = await client.get("/graphql", headers={"Accept": "text/html"})
    for name in re.findall(r'src="\./([^"]*\.js)"', page.text):
        response = await client.get(f"/{name}", headers={"Accept-Encoding": "gzip"})
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "is_accepted"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, gzip;q=0.001", True),
        ("deflate ,gzip ; q=1", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000, br", False),
        ("gzip; q=0.0", False),
        ("x-gzipped", False),
        ("br", False),
        ("identity", False),
        ("*;q=0", False),
        ("", False),
        (",;,", False),
    ],
)
def test_gzip_is_accepted_where_it_is_named_with_any_weight(accepted: str, is_accepted: bool) -> None:
    assert accepts_gzip(accepted.encode()) is is_accepted
