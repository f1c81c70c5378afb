"""``dtm-sharing``: the path as commands. They parse, call and print; every decision is made elsewhere."""

from dtm_sharing.cli.edge import main

__all__ = ["main"]
