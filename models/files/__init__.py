"""Files of networks: reading, writing, ImageNet weights."""
