"""The commands that are more than one: each module holds a family. The others are in app/__main__.py."""
