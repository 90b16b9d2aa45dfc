"""The numbers that trimaps are made of; no import, so that reading a config loads no OpenCV."""

UNKNOWN = 128  # beside 0, background, and 255, foreground
LARGEST_RADIUS = 254  # reaches are 8-bit
