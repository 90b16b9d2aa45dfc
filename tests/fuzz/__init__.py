"""Inputs that nobody would make on purpose, through the scripts as their users start them.

    python -m tests.fuzz --cases 5000 --seed 1      many, each of which ends well or is told
    python -m tests.fuzz --seed 1 --only 17         one of them, with all that it prints

A case ends well in success, or in exit code 2 with one line; and its inputs are as they were.
"""
