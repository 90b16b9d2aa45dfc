"""The networks that a script is asked for, their cost and their device."""
