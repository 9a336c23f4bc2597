"""`python -m localmesh`."""

from localmesh.cli import main

main()
