"""Tables, sheets of pictures, and what a network costs."""
