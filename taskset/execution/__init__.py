"""How a training is executed: the compiled loop, copies in one program, modes, compiled programs on disk, costs."""
