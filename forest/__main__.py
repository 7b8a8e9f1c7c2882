"""`python -m forest` is the command `forest`."""

from forest.cli import main

main()
