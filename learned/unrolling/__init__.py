"""Inner training by a learned optimizer, many copies in one program, and gradients through it."""
