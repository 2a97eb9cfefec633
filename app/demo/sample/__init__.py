"""Makes believable sample data: every customer is a small simulation, lived from registration to now."""


class SampleUnfinished(Exception):
    """Raised for a sample that an older version began and did not finish.

    The command line catches it, says so and ends with exit code 2.
    """
