"""Scripts that time things."""
