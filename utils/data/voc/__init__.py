"""Data sets for segmentation in VOC's layout."""
