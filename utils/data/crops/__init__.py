"""Training samples: where they are cut, and how they are composed."""
