"""ResolveNames, ExpandDL, GetRoomLists and GetRooms: people by name, from the directory and from contacts."""

from collections.abc import Iterator

from procession.sandbox.ews import ids
from procession.sandbox.ews.batch import Call, Operation, folder_of, one, warn
from procession.sandbox.ews.codecs import find_text, write_address
from procession.sandbox.ews.names import Xml, m, t
from procession.sandbox.ews.shapes import Shape, write_item
from procession.sandbox.ews.soap import add, element
from procession.sandbox.mailbox.items import Item
from procession.sandbox.mailbox.words import Address, Refused

LIMIT = 100


def resolve_names(call: Call) -> Xml:
    return one(call, "ResolveNames", lambda message: _resolve(call, message))


def _resolve(call: Call, message: Xml) -> None:
    request = call.request
    entry = (request.findtext(m("UnresolvedEntry")) or "").strip()
    if not entry:
        raise Refused("The name to resolve is empty.", reason="InvalidNameForNameResolution")
    found = list(_search(call, entry.removeprefix("smtp:").removeprefix("SMTP:").casefold()))
    if not found:
        raise Refused("No results were found.", reason="NameResolutionNoResults")
    if len(found) > 1:
        warn(message, "ErrorNameResolutionMultipleResults", "Multiple results were found.")
    full = request.get("ReturnFullContactData") in {"true", "1"}
    count, last = str(len(found)), len(found) <= LIMIT
    target = add(
        message,
        m("ResolutionSet"),
        None,
        TotalItemsInView=count,
        IncludesLastItemInRange="true" if last else "false",
    )
    for address, contact in found[:LIMIT]:
        row = add(target, t("Resolution"))
        mailbox = write_address(row, address)
        if contact is not None:
            add(
                mailbox,
                t("ItemId"),
                None,
                Id=ids.id_of(call.mailbox, contact),
                ChangeKey=ids.change_key(contact.change, call.mailbox.guid),
            )
        if full:
            _write_contact(call, row, address, contact)


def _write_contact(call: Call, row: Xml, address: Address, contact: Item | None) -> None:
    if contact is not None:
        element_ = write_item(row, call.view(contact), Shape("Default", lists=True, version=call.rank))
        for child in list(element_):
            if child.tag in {
                t("ItemId"),
                t("ItemClass"),
                t("HasAttachments"),
                t("DateTimeReceived"),
                t("Size"),
                t("DateTimeSent"),
                t("DateTimeCreated"),
            }:
                element_.remove(child)
        return
    target = add(row, t("Contact"))
    add(target, t("DisplayName"), address.name)
    emails = add(target, t("EmailAddresses"))
    add(emails, t("Entry"), f"SMTP:{address.email}", Key="EmailAddress1")
    add(target, t("ContactSource"), "ActiveDirectory")


def _search(call: Call, text: str) -> Iterator[tuple[Address, Item | None]]:
    scope = call.request.get("SearchScope", "ActiveDirectoryContacts")
    seen = set()
    if "ActiveDirectory" in scope:
        for mailbox in call.world.mailboxes.values():
            if _fits(text, mailbox.name, mailbox.address):
                seen.add(mailbox.address.lower())
                yield Address(mailbox.address, mailbox.name), None
    if "Contacts" not in scope:
        return
    wanted = call.request.find(m("ParentFolderIds"))
    folder = folder_of(call, wanted[0])[1] if wanted is not None else call.mailbox.role("contacts")
    for item in call.mailbox.contents(folder):
        for address in (item.values.get("emails") or {}).values():
            if address.key not in seen and _fits(
                text, str(item.values.get("display_name") or ""), address.email
            ):
                seen.add(address.key)
                yield (
                    Address(
                        address.email, str(item.values.get("display_name") or address.name), kind="Contact"
                    ),
                    item,
                )


def _fits(text: str, name: str, email: str) -> bool:
    """Ambiguous name resolution: the start of the address, or of any word of the name."""
    return (
        email.casefold().startswith(text)
        or name.casefold().startswith(text)
        or any(word.startswith(text) for word in name.casefold().split())
    )


def expand_dl(call: Call) -> Xml:
    def work(message: Xml) -> None:
        wanted = call.request.find(m("Mailbox"))
        name = (find_text(wanted, "EmailAddress") or find_text(wanted, "Name")).casefold()
        lists = [item for item in call.mailbox.contents(call.mailbox.role("contacts")) if item.kind == "list"]
        reference = wanted.find(t("ItemId"))
        number = ids.read_id(reference.get("Id")).number if reference is not None else 0
        found = next(
            (
                item
                for item in lists
                if item.id == number or str(item.values.get("display_name", "")).casefold() == name
            ),
            None,
        )
        if found is None:
            raise Refused("No results were found.", reason="NameResolutionNoResults")
        members = found.values.get("members") or ()
        target = add(
            message,
            m("DLExpansion"),
            None,
            TotalItemsInView=str(len(members)),
            IncludesLastItemInRange="true",
        )
        for member in members:
            write_address(target, member)

    return one(call, "ExpandDL", work)


def _empty(name: str, child: str) -> Operation:
    """An operation of the directory that finds nothing here: there are no rooms."""

    def run(_call: Call) -> Xml:
        response = element(f"{name}Response")
        response.set("ResponseClass", "Success")
        add(response, m("ResponseCode"), "NoError")
        add(response, m(child))
        return response

    return Operation(name, run, since=2010)


OPERATIONS = (
    Operation("ResolveNames", resolve_names),
    Operation("ExpandDL", expand_dl),
    _empty("GetRoomLists", "RoomLists"),
    _empty("GetRooms", "Rooms"),
)
