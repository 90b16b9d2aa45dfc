"""Everything but the networks: data, losses, pruning, training, inference, reports."""

from utils.cli.pages import ask_for_large_pages

# Here, since whatever imports a part of this is early enough: a script, a worker, a user's program.
ask_for_large_pages()
