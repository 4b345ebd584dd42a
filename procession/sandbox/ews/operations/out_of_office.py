"""GetUserOofSettings and SetUserOofSettings ([MS-OXWOOF]): kept and given back; no automatic replies are sent."""

from copy import deepcopy

from lxml import etree

from procession.sandbox.ews.batch import Call, Operation
from procession.sandbox.ews.codecs import find_text
from procession.sandbox.ews.names import Xml, m, t
from procession.sandbox.ews.soap import add, element
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.mailbox.words import Refused

_DEFAULT = (
    f'<t:OofSettings xmlns:t="{t("x")[1:-2]}"><t:OofState>Disabled</t:OofState><t:ExternalAudience>All</t:ExternalAudience>'
    "<t:Duration><t:StartTime>2026-01-01T00:00:00Z</t:StartTime><t:EndTime>2026-01-02T00:00:00Z</t:EndTime></t:Duration>"
    "<t:InternalReply><t:Message/></t:InternalReply><t:ExternalReply><t:Message/></t:ExternalReply></t:OofSettings>"
)


def _own(call: Call) -> Mailbox:
    address = find_text(call.request.find(t("Mailbox")), "Address").strip()
    if address.lower() != call.mailbox.address.lower():
        raise Refused("Access is denied. Check credentials and try again.", reason="AccessDenied")
    return call.mailbox


def _message(response: Xml, refusal: Refused | None) -> None:
    target = add(response, m("ResponseMessage"), None, ResponseClass="Error" if refusal else "Success")
    if refusal:
        add(target, m("MessageText"), refusal.message)
    add(target, m("ResponseCode"), f"Error{refusal.reason}" if refusal else "NoError")


def get_oof(call: Call) -> Xml:
    response = element("GetUserOofSettingsResponse")
    try:
        mailbox = _own(call)
    except Refused as refusal:
        _message(response, refusal)
        return response
    _message(response, None)
    response.append(etree.fromstring(str(mailbox.oof.get("settings", _DEFAULT))))
    add(response, m("AllowExternalOof"), "All")
    return response


def _check(settings: Xml) -> None:
    if find_text(settings, "OofState") == "Scheduled" and settings.find(t("Duration")) is None:
        raise Refused("A scheduled absence has a duration.", reason="InvalidScheduledOofDuration")


def set_oof(call: Call) -> Xml:
    response = element("SetUserOofSettingsResponse")
    try:
        mailbox = _own(call)
        settings = deepcopy(call.request.find(t("UserOofSettings")))
        _check(settings)
    except Refused as refusal:
        _message(response, refusal)
        return response
    settings.tag = t("OofSettings")
    mailbox.oof = {"settings": etree.tostring(settings, encoding="unicode")}
    _message(response, None)
    return response


OPERATIONS = (
    Operation("GetUserOofSettings", get_oof, element="GetUserOofSettingsRequest"),
    Operation("SetUserOofSettings", set_oof, element="SetUserOofSettingsRequest"),
)
