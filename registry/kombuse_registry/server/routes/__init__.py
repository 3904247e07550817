"""The addresses of the registry, one module per subject."""
