"""Writes the reference while the site is built: a page for each public package and module, found in the tree.

`mkdocs-gen-files` runs this. What has no docstring, or a name with an underscore in front, is no part of it.
"""

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


navigation = mkdocs_gen_files.Nav()
overview = ["# Reference", "", "From the docstrings, module by module.", ""]
for package in PACKAGES:
    for module in modules(package):
        navigation[tuple(module.split("."))] = f"{module}.md"
        overview.append(f"{'    ' * module.count('.')}- [`{module}`]({module}.md)")
        with mkdocs_gen_files.open(f"reference/{module}.md", "w") as page:
            page.write(f"# `{module}`\n\n::: {module}\n    options:\n")
            page.write("      show_root_heading: false\n      show_root_toc_entry: false\n")

with mkdocs_gen_files.open("reference/index.md", "w") as page:
    page.write("\n".join(overview) + "\n")
with mkdocs_gen_files.open("reference/SUMMARY.md", "w") as page:
    page.write("* [Reference](index.md)\n")
    page.writelines(navigation.build_literate_nav())
