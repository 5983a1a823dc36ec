"""Every parser of what others write, fed with documents that are nearly right: it answers or refuses, no more.

Each example is a valid document with some of its places replaced by any JSON; the same ones in every run.
"""
