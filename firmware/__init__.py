"""Recipes that obtain or build MicroPython for each board."""
