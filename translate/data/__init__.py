"""Folders of images as batches: layouts, decoding, augmentation, loading."""
