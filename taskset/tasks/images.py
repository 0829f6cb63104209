"""What several image families do to pixels."""


def center(image):
    """[0, 1] -> [-1, 1]."""
    return 2.0 * image - 1.0
