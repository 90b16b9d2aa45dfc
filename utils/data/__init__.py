"""The data set: files on disk, trimaps, composition, the split and what training reads."""
