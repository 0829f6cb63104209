"""Measuring in a process of its own: nothing that ran before is in its memory or its caches."""

import multiprocessing


def result_of(function, *arguments):
    """What `function(*arguments, pipe)` sends through the pipe, from a fresh process; RuntimeError where that dies."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=function, args=(*arguments, there))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        process.join()
        given = ", ".join(map(str, arguments))
        raise RuntimeError(f"{given}: the process ended with status {process.exitcode}; its message is above") from None
    finally:
        process.join()
