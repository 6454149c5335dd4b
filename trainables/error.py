"""The one exception that is addressed to the user."""


class InputError(ValueError):
    """Something a user can mend; in one sentence: what came, what is needed, where to look.

    The command line prints it without a traceback and exits with code 2.
    """
