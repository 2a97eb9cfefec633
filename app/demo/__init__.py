"""Holds what only a demo needs: sample data, people with tokens, and an inbox for the mails."""
