"""The IMAP face: IMAP4rev1 (RFC 3501) with UIDPLUS, SPECIAL-USE, CONDSTORE, IDLE, MOVE, LITERAL+ and NAMESPACE.

    syntax     commands read, values written
    names      folders as mailbox names
    selected   the selected folder as the client knows it
    fetch      what FETCH gives; sections of a message
    searching  SEARCH
    flags      flags and STORE
    commands   one function for each command
    face       the connection

UIDs and modification numbers are the model's own arrival and change numbers.
"""
