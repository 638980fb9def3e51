"""Checks bodies and lowers them to IR, in one walk over the tree."""
