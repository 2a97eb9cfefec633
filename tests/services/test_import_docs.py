"""docs/import.md tells of every kind and every key, and its examples are lines that pass."""

import json
import re
from pathlib import Path

import pytest

from app.domain.import_lines import LINE_SHAPES, parse

MANUAL = Path("docs/import.md").read_text()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", MANUAL, re.MULTILINE | re.DOTALL))
COMMON = {"source", "id", "customer"}


def test_every_kind_has_its_section() -> None:
    assert SECTIONS.keys() == LINE_SHAPES.keys()


@pytest.mark.parametrize("kind", LINE_SHAPES)
def test_a_section_names_every_key_as_required_or_optional(kind: str) -> None:
    shape, section = LINE_SHAPES[kind], SECTIONS[kind]
    required, _, optional = section.partition("Optional: ")
    assert {key for key in shape.required.keys() - COMMON if f"`{key}`" not in required} == set()
    assert {key for key in shape.optional if f"`{key}`" not in optional} == set()


@pytest.mark.parametrize("kind", LINE_SHAPES)
def test_the_examples_of_a_section_are_lines_of_its_kind(kind: str) -> None:
    [block] = re.findall(r"```json\n(.*?)```", SECTIONS[kind], re.DOTALL)
    assert {parse(json.loads(line)).kind for line in block.splitlines()} == {kind}


def test_every_example_of_the_manual_is_a_line_of_an_example_file() -> None:
    """So that whoever imports both in turn has the same thing twice, and not another thing under one id."""
    there = {line for file in Path("examples/import").glob("*.ndjson") for line in file.read_text().splitlines()}
    documented = [line for block in re.findall(r"```json\n(.*?)```", MANUAL, re.DOTALL) for line in block.splitlines()]
    assert [line for line in documented if line not in there] == []
