"""The command line: a client of the API that can do nothing that a program could not do.

One module per noun, loaded when it is called for. Data goes to standard output, talk to standard error.
``verify`` can run without the command framework (:mod:`verification`), because scripts call it often.
"""
