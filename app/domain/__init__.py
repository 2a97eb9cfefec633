"""Holds the rules of the gateway. Pure: no I/O, no framework, no clock."""
