"""Tasks for outer training that share programs: tiny images, texts and quadratics; and handwritten digits."""

from learned.tasks import digits, tiny_images, tiny_quadratics, tiny_text

__all__ = ["digits", "tiny_images", "tiny_quadratics", "tiny_text"]
