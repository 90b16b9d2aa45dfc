"""Mattes of pictures."""
