"""Colour in CIE Lab: light and chroma, quantised chroma, gamut, chroma brought to full size, hints, transfer."""
