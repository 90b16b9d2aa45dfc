"""Pictures for people: figures and sheets."""
