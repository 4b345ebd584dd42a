"""SOAP envelopes: a request read and held against the schema, a reply or a fault written.

Nothing of a request is trusted: DTDs and entities are refused before anything is read from it.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lxml import etree

from procession.sandbox.ews.names import ERRORS, MESSAGES, PREFIXES, SOAP, TYPES, Xml, local, m, t

VERSIONS: dict[str, tuple[int, str]] = {
    # RequestServerVersion: (rank, build as MajorVersion.MinorVersion.MajorBuildNumber.MinorBuildNumber)
    "Exchange2007": (2007, "8.0.685.24"),
    "Exchange2007_SP1": (2007, "8.1.240.6"),
    "Exchange2010": (2010, "14.0.639.21"),
    "Exchange2010_SP1": (2010, "14.1.218.15"),
    "Exchange2010_SP2": (2010, "14.2.247.5"),
    "Exchange2013": (2013, "15.0.516.32"),
    "Exchange2013_SP1": (2014, "15.0.847.32"),
    "Exchange2015": (2016, "15.1.225.42"),
    "Exchange2015_October2015": (2016, "15.1.300.0"),
    "Exchange2016": (2016, "15.1.2507.6"),
    "V2015_10_05": (2016, "15.1.300.0"),
    "V2016_01_06": (2016, "15.1.396.0"),
    "V2016_04_13": (2016, "15.1.466.0"),
    "V2016_07_13": (2016, "15.1.544.0"),
    "V2016_10_10": (2016, "15.1.669.0"),
}
HEAD = 4096
LARGE = 8 * 1024 * 1024
NO_DTD = "For security reasons DTD is prohibited in this XML document."
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SoapFault(Exception):
    """The whole request is refused. `code` is an EWS response code, `status` the HTTP status."""

    def __init__(
        self, message: str, *, code: str = "ErrorInvalidRequest", status: int = 500, backoff: int = 0
    ) -> None:
        super().__init__(message)
        self.code, self.status, self.backoff = code, status, backoff


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request: the operation's element, the version asked for, and whom to act as (an address, or empty)."""

    body: Xml
    version: str = "Exchange2007"
    impersonated: str = ""
    timezone: str = ""


@cache
def schema() -> Xml:
    """The EWS schema; compiling it takes a third of a second, once."""
    return etree.XMLSchema(etree.parse(Path(__file__).parent / "schema" / "messages.xsd"))


def read(data: bytes) -> Envelope:
    """An envelope.

    Raises:
        SoapFault: not XML, a DTD in it, no envelope, or not what the schema allows.
    """
    root = parse(data)
    body = root.find(f"{{{SOAP}}}Body")
    if root.tag != f"{{{SOAP}}}Envelope" or body is None or len(body) != 1:
        raise SoapFault("The request failed schema validation: a SOAP envelope has one body with one element.", code="ErrorSchemaValidation")  # fmt: skip
    request = body[0]
    check(request)
    header = root.find(f"{{{SOAP}}}Header")
    return Envelope(request, *(_header(header) if header is not None else ()))


def parse(data: bytes) -> Xml:
    """XML without DTD and entities, as an element.

    Raises:
        SoapFault: it is anything else.
    """
    if b"<!DOCTYPE" in data[:HEAD]:
        raise SoapFault(NO_DTD, code="ErrorSchemaValidation")
    # libxml2's limits keep hostile documents small; a large attachment is legitimate, and by then there is no DTD.
    large = len(data) > LARGE and b"<!DOCTYPE" not in data
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=large,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise SoapFault(
            f"The request failed schema validation: {error.msg}", code="ErrorSchemaValidation"
        ) from error
    if root.getroottree().docinfo.doctype:
        raise SoapFault(
            "For security reasons DTD is prohibited in this XML document.", code="ErrorSchemaValidation"
        )
    return root


def check(request: Xml) -> None:
    """Raises SoapFault for an operation's element that the schema does not allow."""
    rules = schema()
    if not rules.validate(request):
        error = rules.error_log[0]
        if "No matching global" in error.message:
            raise SoapFault(f"The operation '{local(request)}' is not known.", code="ErrorInvalidRequest")
        raise SoapFault(
            f"The request failed schema validation: {error.message}", code="ErrorSchemaValidation"
        )


def _header(header: Xml) -> tuple[str, str, str]:
    """(version, impersonated address, time zone id)."""
    version = header.find(t("RequestServerVersion"))
    name = version.get("Version", "") if version is not None else "Exchange2007"
    sid = header.find(f"{t('ExchangeImpersonation')}/{t('ConnectingSID')}")
    who = (sid[0].text or "").strip() if sid is not None and len(sid) else ""
    zone = header.find(f"{t('TimeZoneContext')}/{t('TimeZoneDefinition')}")
    return name, who, zone.get("Id", "") if zone is not None else ""


def reply(body: Xml, version: str) -> bytes:
    """A reply's envelope around an operation's response."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap=PREFIXES)
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    etree.SubElement(header, t("ServerVersionInfo"), server_version(version))
    etree.SubElement(root, f"{{{SOAP}}}Body").append(body)
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))


def server_version(version: str) -> dict[str, str]:
    names = ("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber")
    return {**dict(zip(names, VERSIONS[version][1].split("."), strict=True)), "Version": version}


def fault(problem: SoapFault) -> bytes:
    """A SOAP fault as Exchange writes it: the code in the detail, a back-off in milliseconds beside it."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP})
    element = etree.SubElement(etree.SubElement(root, f"{{{SOAP}}}Body"), f"{{{SOAP}}}Fault")
    code = etree.SubElement(element, "faultcode", nsmap={"a": TYPES})
    code.text = f"a:{problem.code}"
    etree.SubElement(element, "faultstring").text = clean(str(problem))
    detail = etree.SubElement(element, "detail")
    etree.SubElement(detail, f"{{{ERRORS}}}ResponseCode", nsmap={"e": ERRORS}).text = problem.code
    etree.SubElement(detail, f"{{{ERRORS}}}Message", nsmap={"e": ERRORS}).text = clean(str(problem))
    if problem.backoff:
        extra = etree.SubElement(detail, t("MessageXml"), nsmap={"t": TYPES})
        etree.SubElement(extra, t("Value"), Name="BackOffMilliseconds").text = str(problem.backoff)
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))


def element(name: str) -> Xml:
    """A new response element of the messages namespace."""
    return etree.Element(m(name), nsmap={"m": MESSAGES, "t": TYPES})


def add(parent: Xml, tag: str, text: str | None = None, /, **attributes: str) -> Xml:
    """A child element; text that XML cannot hold loses the characters it cannot hold."""
    child = etree.SubElement(parent, tag, attributes)
    if text is not None:
        put_text(child, text)
    return child


def put_text(target: Xml, text: str) -> None:
    try:
        target.text = text
    except ValueError:
        target.text = clean(text)


def clean(text: str) -> str:
    return _NOT_XML.sub("", text)
