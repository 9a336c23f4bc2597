"""Pages that are made of the code, so that they cannot disagree with it: `python -m docs` writes them."""
