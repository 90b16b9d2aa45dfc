"""Pictures, mattes and trimaps on disk."""
