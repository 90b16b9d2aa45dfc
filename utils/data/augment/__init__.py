"""What is changed at random in a training sample: colour, layers, degrade; 8 bits, RGB."""
