"""The walk asks for every field that a cache may keep, and the clients are installed by locks that name no registry."""

import json
import re
from pathlib import Path

import pytest
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    parse,
    validate,
    visit,
)
from graphql.type import is_required_argument

from tests.clients.walk import SDL, documents, types_with_id

CLIENTS = Path(__file__).parents[2] / "examples" / "clients"


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """Reads the schema that clients get."""
    return build_schema(SDL.read_text())


class Fields(Visitor):
    """Collects the fields that documents ask for, as Type.field."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types, self.found = types, set[str]()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.found.add(f"{self.types.get_parent_type()}.{node.name.value}")


def test_every_document_is_valid(schema: GraphQLSchema) -> None:
    for document in documents(schema):
        assert validate(schema, parse(document.query)) == [], document.name


def test_every_field_of_a_type_with_an_id_is_asked_for(schema: GraphQLSchema) -> None:
    fields = Fields(TypeInfo(schema))
    for document in documents(schema):
        visit(parse(document.query), TypeInfoVisitor(fields.types, fields))
    of_types_with_id = {
        f"{each.name}.{name}"
        for each in types_with_id(schema)
        for name, field in each.fields.items()
        if not any(map(is_required_argument, field.args.values()))
    }
    assert of_types_with_id - fields.found == set()


@pytest.mark.parametrize("lock", sorted(CLIENTS.glob("*/package-lock.json")), ids=lambda lock: lock.parent.name)
def test_no_lock_names_a_registry(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []


def test_the_requirements_of_the_python_client_are_hashed_and_name_no_index() -> None:
    requirements = (CLIENTS / "python" / "requirements.txt").read_text()
    assert "://" not in requirements
    blocks = requirements.replace("\\\n", " ").splitlines()
    assert [line for line in blocks if "==" in line and "--hash=sha256:" not in line] == []


def test_every_client_has_its_configuration_on_the_page_for_clients() -> None:
    page = (CLIENTS.parents[1] / "docs" / "clients.md").read_text()
    folders = {path.name for path in CLIENTS.iterdir() if path.is_dir()} - {"shared"}
    assert {name for name in folders if f"(../examples/clients/{name})" not in page} == set()


def test_what_the_page_for_clients_shows_of_a_file_is_in_it() -> None:
    page = (CLIENTS.parents[1] / "docs" / "clients.md").read_text()
    shown = re.findall(r"^```(?:js|ts|py)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    files = [path.read_text() for name in ("*/*.js", "*/*.ts", "*/*.py") for path in CLIENTS.glob(name)]
    assert [block for block in shown if not any(block in file for file in files)] == []


def test_the_page_for_clients_has_every_code_of_user_errors(schema: GraphQLSchema) -> None:
    page = (CLIENTS.parents[1] / "docs" / "clients.md").read_text()
    codes = schema.type_map["UserErrorCode"]
    assert isinstance(codes, GraphQLEnumType)
    assert {code for code in codes.values if f"`{code}`" not in page} == set()
