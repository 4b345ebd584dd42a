"""A local Exchange to develop against: a stateful mail system in one process.

mailbox   the model: users, folders, items, meetings, mail; no wire format
ews       Exchange Web Services
faults    what goes wrong on demand
server    the faces together on one event loop
"""
