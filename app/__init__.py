"""Holds the customer gateway: one GraphQL query returns a customer whole."""

import gc

# Garbage is looked for more rarely than Python does by itself, from the first module on: modules, requests and the
# lines of an import leave few cycles behind. A start takes a twentieth less. Higher thresholds make pauses longer.
gc.set_threshold(5_000, 20, 50)
