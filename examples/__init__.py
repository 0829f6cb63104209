"""Programs that show the packages at work; the tests execute them."""
