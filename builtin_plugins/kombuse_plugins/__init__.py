"""The plugins that Kombuse brings along; each is a package of its own, loaded like any other."""
