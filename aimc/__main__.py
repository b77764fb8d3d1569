"""`python -m aimc` is the command `aimc`."""

from aimc.cli import main

main()
