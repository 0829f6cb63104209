"""What pages and scripts mention exists: paths, dotted names of modules and of what is in them, commands, the site's menu."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from taskset import moved

ROOT = Path(__file__).parent.parent
PACKAGES = {"taskset": ROOT / "taskset", "learned": ROOT / "learned", "taskset.data": ROOT / "data"}
PACKAGES |= {name: ROOT / name for name in ("benchmarks", "tools", "examples", "tests")}
PATH = re.compile(r"(?<![\w/.:-])(?:taskset|learned|benchmarks|tools|tests|docs|examples|data|requirements|\.ci)(?:/[\w.-]+)+/?")
DOTTED = re.compile(r"(?<![\w/.-])(?:taskset|learned|benchmarks|tools|examples)(?:\.[A-Za-z_]\w*)+")
COMMAND = re.compile(r"python3? -m (\w+(?:\.\w+)*)(?: (\w[\w-]*))?")
NOT_READ = ("moved.py",)  # old names
MADE = ("taskset/programs",)  # paths outside of the tree that look like ours


def pages():
    """Every document, script and module whose words are checked, by its path in the tree."""
    listed = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "data" / "README.md",
        ROOT / "Makefile",
        ROOT / "mkdocs.yml",
    ]
    scripts = [path for folder in ("benchmarks", "tools", "examples") for path in (ROOT / folder).rglob("*.py")]
    own = [path for folder in ("taskset", "learned") for path in (ROOT / folder).rglob("*.py") if path.name not in NOT_READ]
    return {str(path.relative_to(ROOT)): path for path in [*listed, *scripts, *sorted(own)]}


def words(path):
    """The text of a page; of Python code its docstrings and all other strings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    tree = ast.parse(text)
    return "\n".join(node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def exists(path):
    """Whether a path that a page mentions is in the tree; capital letters stand for names of the reader's."""
    found = path.rstrip("./")
    if re.search(r"/[A-Z]{2,}(?:/|\.|$)", path) and not path.endswith(".md"):
        return True
    return any(found.endswith(made) for made in MADE) or (ROOT / found).exists()


def today(name):
    """A dotted name with the module's own name where the one in front is served for it (`taskset.moved.PUBLIC`)."""
    for old, new in moved.PUBLIC.items():
        if f"{name}.".startswith(f"{old}."):
            return new + name[len(old) :]
    return name


def module_of(name):
    """(file of the longest part of a dotted name that is a module, None if none is; the rest of the name, as a list)."""
    parts = today(name).split(".")
    package = "taskset.data" if parts[:2] == ["taskset", "data"] else parts[0]
    own = package.count(".") + 1  # parts of the package's own name
    for end in range(len(parts), own - 1, -1):
        place = PACKAGES[package].joinpath(*parts[own:end])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file, parts[end:]
    return None, parts


def defined(file, name):
    """Whether a module's source has this name: defined there, imported, or in the table of names that are loaded on first use."""
    return re.search(
        rf"(?:\b(?:def|class|import)\s+{name}\b|^\s*{name}\b\s*[:=,]|[\"']{name}[\"'])",
        file.read_text(encoding="utf-8"),
        re.MULTILINE,
    )


def lost(text):
    """The names in a text that lead nowhere."""
    wrong = {path for path in PATH.findall(text) if not exists(path)}
    for name in {name for name in DOTTED.findall(PATH.sub("", text)) if not name.endswith((".md", ".py", ".NAME"))}:
        file, rest = module_of(name)
        if file is None or (rest and not defined(file, rest[0])):
            wrong.add(name)
    return sorted(wrong)


@pytest.mark.parametrize("page", pages())
def test_what_is_mentioned_exists(page):
    assert lost(words(pages()[page])) == []


def test_what_does_not_exist_is_found():
    text = (
        "taskset/nowhere.py, `taskset.quite.gone`, taskset.get_tusk and learned/; but taskset/tasks/NAME.py, `taskset.get_task`"
    )
    assert lost(text) == ["taskset.get_tusk", "taskset.quite.gone", "taskset/nowhere.py"]


def repeated(text):
    """The headings, each with those above it, and the sections written by scripts that a page has more than once."""
    above, found = {}, []
    for line in re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL).splitlines():
        if heading := re.match(r"(#+) (.+)", line):
            above = {level: title for level, title in above.items() if level < len(heading[1])} | {len(heading[1]): heading[2]}
            found.append(" / ".join(above.values()))
        elif re.fullmatch(r"<!-- [\w-]+ -->", line):
            found.append(line)
    return sorted({each for each in found if found.count(each) > 1})


@pytest.mark.parametrize("page", [page for page in pages() if page.endswith(".md")])
def test_nothing_is_said_twice(page):
    assert repeated(pages()[page].read_text()) == []


def test_what_is_said_twice_is_found():
    text = "# A\n## B\n### C\n## D\n### C\n<!-- one -->\n```\n# A\n```\n"
    assert repeated(text) == []
    assert repeated(text + "## B\n<!-- one -->\n") == ["<!-- one -->", "A / B"]


def commands():
    """{package: names of its commands, those of subcommands included}."""
    from typer.main import get_command

    from learned.cli import main as learned_cli
    from taskset.cli import main as taskset_cli

    found = {}
    for package, cli in (("taskset", taskset_cli), ("learned", learned_cli)):
        known = get_command(cli.app).commands
        found[package] = {*known, *(name for group in known.values() for name in getattr(group, "commands", ()))}
    return found


def test_commands_exist():
    known, found = commands(), {page: COMMAND.findall(words(path)) for page, path in pages().items()}
    assert sum(map(len, found.values())) > 100
    for page, mentioned in found.items():
        for module, command in mentioned:
            if module.split(".")[0] in PACKAGES and module not in known and not module.endswith(".NAME"):
                assert module_of(module)[1] == [], f"{page}: python -m {module}"
            elif module in known and command:
                assert command in known[module], f"{page}: python -m {module} {command}"


def test_the_page_of_commands_has_all():
    page = (ROOT / "docs" / "commands.md").read_text()
    named = set().union(*commands().values()) - {"data"}  # the group of `data status` and others
    assert {name for name in named if f"`{name}`" not in page and f" {name}`" not in page} == set()


def test_the_menu_has_every_page():
    menu = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text().split("nav:")[1].split("\nvalidation:")[0]))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert menu == pages | {"data_card.md"}  # which docs/reference/generate.py writes


def test_the_plan_of_rooms_in_contributing():
    """Every name of the block "Where things are" is there, and every folder of the two packages is in it."""
    block = (ROOT / "CONTRIBUTING.md").read_text().split("```")[1]
    room, named = None, set()
    for line in block.strip().splitlines():
        indent, rest = re.match(r"( *)(.*)", line).groups()
        names = re.match(r"((?:[\w./]+, )*[\w./]+)\s{2,}", rest)
        if len(indent) > 2 or names is None:
            continue
        room = Path() if not indent else room
        for name in names[1].split(", "):
            place = (Path() if not indent else room) / name
            assert (ROOT / place).exists(), place
            named.add(str(place))
            room = place if not indent else room
    folders = [
        path for package in ("taskset", "learned") for path in (ROOT / package).iterdir() if (path / "__init__.py").is_file()
    ]
    missing = {str(path.relative_to(ROOT)) for path in folders if not path.is_symlink()} - named
    assert missing == set()


def test_no_machine_is_mentioned():
    try:
        listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout")
    assert [name for name in listed if re.search(r"(?:^|[\s`(])/(?:root|work|home)/", (ROOT / name).read_text())] == []


def test_the_command_that_joins_suites_works(run_here, tmp_path):
    """The suites that it named had other horizons than the tiny tasks'."""
    (command,) = re.findall(r"^python -m learned (suite --join .*) --out \S+$", (ROOT / "docs" / "learned.md").read_text(), re.M)
    status, out, err = run_here("learned", *command.split(), "--out", tmp_path / "both.json")
    assert status == 0, (out, err)
