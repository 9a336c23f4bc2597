"""`python -m clients`."""

from clients.cli import main

main(prog_name="python -m clients")
