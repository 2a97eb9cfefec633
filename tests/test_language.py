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


VERBS = frozenset(
    """
    adds adjusts admits announces answers are asks begins belongs builds buys can cancels changes charges closes
    collects comes compares completes compresses counts creates declares declines deletes discards does drops edits
    encrypts ends erases executes expires finds fits forgets freezes gives handles hands has have hides holds imports
    inserts is joins judges keeps knows lasts leaves lets limits listens lists lives loads locks logs looks mails
    makes marks masks may means mends moves must names needs notes opens orders parks pins plans prices prints puts
    queues raises reaches reads records redeems refreshes refuses releases removes repairs replaces reserves
    resolves returns runs says searches sees selects sends serves sets settles shows sorts spends splits stands
    stays stops stores takes tells turns updates uses waits walks was were writes yields
    """.split()
)
"""The verbs of our docstrings, in the forms in which they are a sentence's own."""
COMMANDS = frozenset("Bring Do Drop Make Print Run Say Show Take Write".split())
"""How help texts of the command line begin."""
SUBORDINATES = frozenset(
    "after although as because before how if once since than that though unless until what when where whether which "
    "while who whom whose why".split()
)


def is_sentence(text: str) -> bool:
    """Returns whether the first sentence has a verb of its own: a subordinate clause takes the next verb."""
    first = re.split(r"(?<=[.!?])\s", text.split("\n\n")[0], maxsplit=1)[0]
    if not re.match(r"[A-Z]", first) or re.match(r"(Of|The same|Same|And|Or|Whether|None|Until)\b", first):
        return False
    words = re.findall(r"``.*?``|[\w'’-]+", first)
    if words[0] in COMMANDS or words[0] == "Raised":  # an error class says when it is raised
        return True
    waiting = 0
    for word in words:
        if word.lower() in SUBORDINATES:
            waiting += 1
        elif word.lower() in VERBS:
            if not waiting:
                return True
            waiting -= 1
    return False


@pytest.mark.parametrize(
    "text",
    [
        "Returns the customer's e-mail addresses, the registered one first.",
        "A posting holds the entries that a decision adds, in order, and the state after them.",
        "What is awaited inside is cancelled when the time is over.",
        "Raised if a rule says no; nothing was changed.",
    ],
)
def test_a_sentence_is_known_by_its_verb(text: str) -> None:
    assert is_sentence(text)


@pytest.mark.parametrize(
    "text",
    [
        "Newest first.",
        "None if there are none.",
        "None where it is decided with all points of its customer.",
        "By name. Raises GraphQLError if the document is not valid.",
        "Its lines; of one beyond the limit, however long, only as much as shows that it is.",
        "Whether none is missing",
        "Whether it is an id of this kind, of something that may or may not be there.",
        "The relay's: what waits in ``pushes``.",
        "Until it is cancelled.",
        "What is left to spend.",
        "As `follow`, but null where the document belongs to another customer.",
        "``key`` is how a document spells the key.",
        "returns the key.",
    ],
)
def test_a_fragment_is_known_by_the_lack_of_one(text: str) -> None:
    assert not is_sentence(text)


def test_every_public_docstring_begins_with_a_sentence() -> None:
    fragments = [
        (path.name, node.name, text)
        for path in MODULES
        for node in public(ast.parse(path.read_text()))
        if (text := ast.get_docstring(node)) and not is_sentence(text)
    ]
    assert fragments == []


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
