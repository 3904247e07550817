"""Packages of plugins: their format, where they come from, and the server that hands them out."""
