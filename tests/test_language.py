"""The house's language, as far as a machine can judge it: CONTRIBUTING.md has the rules."""

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

APP = Path(__file__).parents[1] / "app"
SCHEMA = APP.parent / "schema.graphql"
MODULES = sorted(APP.rglob("*.py"))
TESTS = Path(__file__).parent
TEST_MODULES = sorted(path for path in TESTS.rglob("*.py") if "node_modules" not in path.parts)


def public(tree: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Public classes and functions, and what is public of public classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)


def test_no_module_is_named_as_a_dependency_or_a_module_of_the_standard_library() -> None:
    taken = {*sys.stdlib_module_names, *packages_distributions()} - {"app", "tests", "bench"}
    names = {path: path.parent.name if path.stem == "__init__" else path.stem for path in MODULES}
    assert {path for path, name in names.items() if name in taken and name != "__main__"} == set()


def test_public_class_names_are_unique() -> None:
    names = Counter(
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in names.items() if count > 1} == set()


@pytest.mark.parametrize("words", ["unless told", "so many", "what became of", "whoever", "is no "])
def test_the_schema_has_none_of_our_old_words(words: str) -> None:
    lines = SCHEMA.read_text().splitlines()
    assert [line for line in lines if words in line.lower()] == []


def test_every_description_of_the_schema_is_a_sentence() -> None:
    texts = re.findall(r'"""\s*(.*?)\s*"""', SCHEMA.read_text(), re.DOTALL)
    assert len(texts) > 900
    assert {text for text in texts if not re.match(r'["`A-Z1(]', text) or text[-1] not in ".…)"} == set()


def test_no_public_docstring_begins_in_the_middle_of_a_sentence() -> None:
    """In an editor's hover there is no function above, to which "The same" or "Of those" could refer."""
    found = [
        (path.name, node.name)
        for path in MODULES
        for node in public(ast.parse(path.read_text()))
        if re.match(r"(Of|The same|Same|And|Or)\b", ast.get_docstring(node) or "")
    ]
    assert found == []


# ---------------------------------------------------------------- tests


def has_fixture(node: ast.AST) -> bool:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
    return any("pytest.fixture" in ast.unparse(decorator) for decorator in decorators)


def test_every_fixture_says_in_a_sentence_what_it_gives() -> None:
    for path in TEST_MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and has_fixture(node):
                text = ast.get_docstring(node) or ""
                assert re.match(r"[A-Z]\w+ .*\.$", text, re.DOTALL), (path, node.name)


def test_everything_in_support_that_tests_import_has_a_docstring() -> None:
    for path in (TESTS / "support").glob("*.py"):
        tree = ast.parse(path.read_text())
        silent = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not ast.get_docstring(node)
        ]
        assert [name for name in silent if not name.startswith("_")] == [], path


def test_no_docstring_of_a_test_begins_in_the_middle_of_a_sentence() -> None:
    """Texts below a constant count, too."""
    texts = {
        (path.name, node.value.value.partition("\n")[0])
        for path in TEST_MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    assert len(texts) > 500
    assert {text for text in texts if re.match(r"(Of|The same|Same|And|Or)\b", text[1])} == set()


@pytest.mark.parametrize("words", ["unless told", "so many"])
def test_no_test_has_our_old_words(words: str) -> None:
    paths = [path for path in TEST_MODULES if path != Path(__file__)]
    assert [path for path in paths if words in path.read_text()] == []
