"""Tables in Markdown."""

from taskset.files import markdown


def test_columns_of_numbers_are_aligned_to_the_right():
    rows = [["a", "-0.5", "1e-3", "1,000", "12%", "2.21.0"], ["b", "", "-", "3", "+3", "2.20.0"]]
    assert markdown.table(["name", "x", "y", "count", "share", "version"], rows).splitlines()[1] == (
        "| :-- | --: | --: | --: | --: | :-- |"
    )


def test_a_text_stays_in_its_cell():
    rows = markdown.table(["a"], [["our own | scan\nof 1998"], [r"|x| \| y"]]).splitlines()[2:]
    assert rows == [r"| our own \| scan of 1998 |", r"| \|x\| \| y |"]
