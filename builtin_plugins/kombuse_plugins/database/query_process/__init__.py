"""The process in which explorer queries run: the standard library and nothing else of ours.

Started as `-m query_process` from the folder above, so that the plugin's own `__init__` is not
imported and a process is up in some twenty milliseconds.
"""
