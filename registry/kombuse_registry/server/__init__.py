"""The registry server: a web application of its own that keeps packages and hands them out."""
