"""Triton and TensorFlow in one process: only the first of them survives the other."""

import subprocess
import sys
import textwrap

import taskset


def run(tmp_path, code):
    """The output of a program that finds a package `triton`, which says whether TensorFlow was there before it."""
    (tmp_path / "triton.py").write_text("import sys; print('behind' if 'tensorflow.python' in sys.modules else 'before')")
    source = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {taskset.__path__[0] + '/..'!r}]\n" + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout.split()


def test_triton_is_loaded_before_tensorflow(tmp_path):
    code = """
        import taskset
        import tensorflow
        import triton
    """
    assert run(tmp_path, code) == ["before"]


def test_triton_is_kept_out_where_tensorflow_came_first(tmp_path):
    code = """
        import tensorflow
        import taskset
        from taskset.execution.runtime import keep_triton_out
        keep_triton_out()
        try:
            import triton
        except ModuleNotFoundError:
            print("kept out")
    """
    assert run(tmp_path, code) == ["kept", "out"]
