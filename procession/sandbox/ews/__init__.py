"""The Exchange face: Exchange Web Services (SOAP 1.1 over HTTP, [MS-OXWS…]) on the mailbox model.

soap        an envelope read and checked; replies and faults
schema      the XSD files that every request is held against
paths, codecs, fields, computed     what a property is called, how it is written, where it comes from
shapes, drafts                      an item written as XML; an item read from XML
ids, states                         opaque identifiers and sync states
batch                               one response message per thing asked for
operations                          one module for each operation or close family; OPERATIONS lists them
face                                a request in, a reply out
"""
