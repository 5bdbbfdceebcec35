"""Builds the images of this repository from their Dockerfiles and puts them into a registry.

What goes into an image is listed (`catalog`), hashed into its tag (`inputs`), built once per
machine by buildah or docker (`engines`, `building`), and published by digest (`publishing`). Only
the standard library is used: this runs before anything is installed.
"""
