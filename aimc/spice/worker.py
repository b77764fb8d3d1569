"""One run of ngspice's shared library, in a process of its own: LIBRARY DECK RAWFILE.

What ngspice says goes to stdout, where the runner reads it; an empty RAWFILE means that the deck
writes its own.
"""

from __future__ import annotations

import os
import sys


def main(library: str, deck: str, rawfile: str) -> int:
    """Sources the deck, runs it, writes the raw file. Returns the exit status."""
    os.environ["NGSPICE_LIBRARY_PATH"] = library
    import logging

    from PySpice.Spice.NgSpice.Shared import NgSpiceShared, ffi  # pyright: ignore

    logging.disable(logging.CRITICAL)

    class Printing(NgSpiceShared):
        """PySpice takes every line on stderr, notes too, for an error of the command."""

        @staticmethod
        def _send_char(message_c, ngspice_id, user_data):
            said = bytes(ffi.string(message_c))  # pyright: ignore[reportArgumentType]
            _, _, content = said.decode("utf-8", "replace").partition(" ")
            ffi.from_handle(user_data)._stdout.append(content)
            print(content, flush=True)
            return 0

    return _run(Printing.new_instance(), deck, rawfile)


def _run(shared, deck: str, rawfile: str) -> int:
    try:
        shared.exec_command(f"source {deck}")
    except NameError:  # what PySpice raises for the status of a deck that ends with `quit`
        if rawfile:
            raise
    if rawfile:
        for text in ("set filetype=binary", "run", f"write {rawfile}"):
            shared.exec_command(text)
    return 0


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    sys.stdout.flush()
    # The library's own shutdown may hang or crash; everything is written.
    os._exit(status)
