"""All public functions of the packages have types, but for a number in tools/typed_share.py that only becomes smaller."""

import pytest

from tools import typed_share


@pytest.mark.parametrize("package", typed_share.UNTYPED)
def test_public_functions_have_types(package):
    without = typed_share.untyped(package)
    assert len(without) <= typed_share.UNTYPED[package], without


def test_every_package_is_counted():
    assert typed_share.UNTYPED.keys() == {path.parent.name for path in typed_share.ROOT.glob("*/__main__.py")}
    assert typed_share.UNTYPED["taskset"] == 0


def test_a_function_without_types_is_found(tmp_path):
    source = (
        "def f(x: int) -> int: ...\ndef g(x) -> int: ...\ndef h(x: int): ...\ndef _i(x): ...\n"
        "class C:\n    def __call__(self, *xs): ...\n    def j(self, x: int) -> int: ...\n    def k(self) -> None: ...\n"
        "class _D:\n    def l(self, x): ...\n"
    )
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text("async def a(**kw: int) -> None: ...\nasync def b(*, x) -> None: ...\n")
    (tmp_path / "p" / "m.py").write_text(source)
    (tmp_path / "p" / "_hidden.py").write_text(source)
    assert typed_share.untyped("p", tmp_path) == ["p.b", "p.m.g", "p.m.h", "p.m.C.__call__"]
    assert len(typed_share.functions("p", tmp_path)) == 8
