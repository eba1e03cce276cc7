"""Records, glossary, changelog and versions are kept in the form that CONTRIBUTING asks for."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from sktransfer import __version__
from sktransfer.contracts.registry import ENTRY_POINT_GROUPS

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
FRAGMENTS = [p for p in (ROOT / "docs" / "changelog.d").iterdir() if p.name != "README.md"]
SECTIONS = ["Context", "Decision", "Alternatives", "Consequences"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
COMPAT = sorted((ROOT / "sktransfer" / "_compat").glob("[a-z]*.py"))


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name):
    """Give the version of each library that a file of constraints names."""
    lines = [line for line in read(name).splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(n): Version(v) for n, v in (line.split("==") for line in lines)}


def rows(name):
    """Give the cells of each row of the tables in a document, without their heads."""
    lines = [line.strip("|").split("|") for line in read(name).splitlines() if line[:1] == "|"]
    cells = [[cell.strip() for cell in line] for line in lines]
    heads = [i - 1 for i, line in enumerate(cells) if set(line[0]) == {"-"}]
    return [line for i, line in enumerate(cells) if i not in heads and i - 1 not in heads]


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name[:4])
def test_a_record_has_number_date_status_and_all_sections(path):
    head, *sections = re.split(r"^## (.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    number = path.name[:4]
    form = rf"# {number}: .+\n\nDate: \d{{4}}-\d\d-\d\d\n\nStatus: (accepted|replaced)\b[^#]*"
    assert re.fullmatch(form, head)
    assert sections[::2] == SECTIONS
    assert all(text.strip() for text in sections[1::2])


def test_numbers_of_records_are_given_once():
    numbers = [path.name[:4] for path in RECORDS]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_named_by_a_type_that_the_changelog_has(path):
    types = [entry["directory"] for entry in PROJECT["tool"]["towncrier"]["type"]]
    assert re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(types)})\.md", path.name)
    assert path.read_text(encoding="utf-8").strip()


def test_the_changelog_begins_with_the_version_of_the_package():
    assert not Version(__version__).is_prerelease
    _, _, versions = read("CHANGELOG.md").partition(PROJECT["tool"]["towncrier"]["start_string"])
    assert versions.lstrip().startswith(f"## {__version__} (")


def test_the_glossary_is_in_order_and_linked():
    words = [word for word, _ in rows("docs/glossary.md")]
    assert words == sorted(set(words))
    assert "(docs/glossary.md)" in read("CONTRIBUTING.md")


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_both_ends_of_a_range_are_pinned_and_documented(requirement):
    name = canonicalize_name(requirement.name)
    lowest, highest = pins("constraints-lowest.txt")[name], pins("constraints.txt")[name]
    bounds = {specifier.operator: Version(specifier.version) for specifier in requirement.specifier}
    assert bounds[">="] == lowest
    assert highest < bounds["<"]
    documented = {row[0]: row[1:3] for row in rows("docs/versions.md") if len(row) == 4}
    assert documented[requirement.name] == [str(lowest), str(highest)]


def private_names(path):
    """Yield the private names of another library that a module uses."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found = [node.attr] if isinstance(node, ast.Attribute) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            found = [*node.module.split("."), *(alias.name for alias in node.names)]
        yield from (name for name in found if re.match("_(?!_)", name))


@pytest.mark.parametrize("path", COMPAT, ids=lambda path: path.stem)
def test_private_names_in_use_are_documented(path):
    names = set(private_names(path))
    assert names
    assert {name for name in names if name not in read("docs/versions.md")} == set()


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "plugins").glob("*/*.md")]
LINK = re.compile(r"\[[^]]*\]\(([^)#:\s]+)(#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_of_the_repository(page):
    prose = "".join(page.read_text(encoding="utf-8").split("```")[::2])
    targets = [target for target, _ in LINK.findall(prose)]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_each_kind_of_plugin_has_a_page_with_code_that_says_how_it_is_registered():
    pages = {p.stem: p.read_text(encoding="utf-8") for p in (ROOT / "docs/extending").glob("*.md")}
    index = pages.pop("README")
    for kind, group in ENTRY_POINT_GROUPS.items():
        if kind != "augmentation":  # is an option of a modality, not a contract
            assert group in index
            assert any(f'[project.entry-points."{group}' in text for text in pages.values())
    for name, text in pages.items():
        assert f"({name}.md)" in index
        assert ">>> " in text
        assert f"docs/extending/{name}.md" in read("CONTRIBUTING.md")
