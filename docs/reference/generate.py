"""Writes the reference while the site is built: a page for each public package and module, found in the tree.

`mkdocs-gen-files` runs this. What has no docstring, or a name with an underscore in front, is no part of it. The card of the
baselines, which lies with the data, becomes a page of the site, too.
"""

import ast
import importlib
import re
from pathlib import Path

import mkdocs_gen_files

ROOT = Path(__file__).parents[2]
PACKAGES = ("taskset", "learned")


def modules(package):
    """The dotted names of a package's public modules, itself first."""
    for path in sorted((ROOT / package).rglob("*.py"), key=lambda path: (path.parent, path.name != "__init__.py", path.name)):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts) and path.read_text().lstrip().startswith('"""'):
            yield ".".join(parts)


def tree(module):
    """A module's source, parsed."""
    path = ROOT.joinpath(*module.split("."))
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text())


def summary(node):
    """The first sentence of a docstring; "" where there is none."""
    text = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\w\.) (?=[A-Z])|:$", text)[0]


def definition(module, name):
    """(module, node) of what a module defines under a name, or imports from another; the node of a plain value is None."""
    for node in tree(module).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            return definition(node.module, name)
    return module, None


def lazy_names(package):
    """Lines for the names that a package loads on first use: each with a link to where it is defined."""
    found = importlib.import_module(package)
    places = {name: (module, name) for name, module in getattr(found, "_MODULE_OF", {}).items()} | getattr(found, "_PLACES", {})
    for name, (module, attribute) in sorted(places.items(), key=lambda item: item[0].lower()):
        if attribute is None:  # a module
            yield f"- [`{package}.{name}`]({module}.md): {summary(tree(module))}"
            continue
        home, node = definition(module, attribute)
        text, anchor = (summary(node), f"#{home}.{attribute}") if node and ast.get_docstring(node) else ("", "")
        yield f"- [`{package}.{name}`]({home}.md{anchor}): {text}"


navigation = mkdocs_gen_files.Nav()
overview = ["# Reference", "", "From the docstrings, module by module.", ""]
for package in PACKAGES:
    for module in modules(package):
        navigation[tuple(module.split("."))] = f"{module}.md"
        overview.append(f"{'    ' * module.count('.')}- [`{module}`]({module}.md): {summary(tree(module))}")
        with mkdocs_gen_files.open(f"reference/{module}.md", "w") as page:
            page.write(f"# `{module}`\n\n::: {module}\n    options:\n")
            page.write("      show_root_heading: false\n      show_root_toc_entry: false\n")
            if module in PACKAGES:
                page.write("\n" + "\n".join(lazy_names(module)) + "\n")

with mkdocs_gen_files.open("reference/index.md", "w") as page:
    page.write("\n".join(overview) + "\n")
with mkdocs_gen_files.open("reference/SUMMARY.md", "w") as page:
    page.write("* [Reference](index.md)\n")
    page.writelines(navigation.build_literate_nav())

with mkdocs_gen_files.open("data_card.md", "w") as page:  # without the header for machines
    card = (ROOT / "data" / "README.md").read_text().split("---\n", 2)[2]
    page.write(card.replace("[croissant.json](croissant.json)", "`croissant.json`"))
for name in ("baselines.md", "tutorials/baselines.md", "how-to/read_baselines.md"):
    text, up = (ROOT / "docs" / name).read_text(), "../" * name.count("/")
    if "`data/README.md`" not in text:
        raise ValueError(f"docs/{name} names no `data/README.md`, for which the site has the data card")
    with mkdocs_gen_files.open(name, "w") as page:
        page.write(text.replace("`data/README.md`", f"[`data/README.md`]({up}data_card.md)"))
