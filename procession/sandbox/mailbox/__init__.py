"""The mailbox model: users, folders and items, without any wire format.

    words       values: addresses, attendees, bodies, attachments, recurrences
    items       the item and its kinds; folders and the distinguished ones
    changes     what changed in a folder since a cursor; the base of every synchronisation
    index       a folder's order and counts; look-ups by message id, uid and extended property
    store       a mailbox: put, change, move, copy, remove; its events
    world       all mailboxes, the clock, the ledger, snapshot and rollback
    recurrence  a pattern's days; series: occurrences and exceptions of an event
    meetings    requests, responses, updates and cancellations between users
    posting     sending and receiving mail; mime reads and writes MIME
    search      restrictions and sort orders

The faces (`ews`, `imap`, `pop3`, `smtp`) stand on it and never on each other.
"""
