"""The training store: decoded foregrounds, ready to be cut from."""
