"""Test sets and how they are scored."""
