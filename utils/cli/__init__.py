"""The edge of every script: arguments, messages, progress, signals."""
