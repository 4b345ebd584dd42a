"""What must not take the engine along is done in a process of its own: filling mail templates, calling functions.

    pool       a few warm child processes, each with one request at a time (`pool.Pool`)
    child      one of them as its parent sees it: watched, and killed when it takes too long or too much
    inside     the program that runs in it
    channel    how the two talk
    mails      mail templates, asked for by the engine (`mails.ConfinedTemplates`) …
    filling    … and filled by the child
    functions  the functions of `call` steps, asked for (`functions.ConfinedFunction`) …
    calling    … and called

A child is a new interpreter, never a fork. What it answers is data, so that whoever takes it over has not got the engine.
"""
