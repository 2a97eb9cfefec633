"""Holds the customer gateway: one GraphQL query returns a customer whole."""
