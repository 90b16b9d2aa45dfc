"""The one exception for bad input: what the user gave cannot be used, and what to do about it."""


class InputError(Exception):
    """A file, a config or an argument that cannot be used.

    The message is one line that names the culprit and the cure. Scripts print it and end with
    exit code 2 (see `utils.cli.command.run`); nothing else catches it.
    """
