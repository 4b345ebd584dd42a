"""Autodiscover: the SOAP service (GetUserSettings, [MS-OXWSADISC]) and the plain XML one ([MS-OXDSCLI])."""

from dataclasses import dataclass

from lxml import etree

from procession.sandbox.ews import soap
from procession.sandbox.ews.face import EwsFace, unauthorized
from procession.sandbox.ews.names import SOAP, Xml, local
from procession.sandbox.ews.soap import VERSIONS, SoapFault
from procession.sandbox.mailbox.store import Mailbox
from procession.sandbox.web import Request, Response

AUTODISCOVER = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
XSI = "http://www.w3.org/2001/XMLSchema-instance"


def a(name: str) -> str:
    return f"{{{AUTODISCOVER}}}{name}"


@dataclass(slots=True)
class Autodiscover:
    """Both services. `url` is the Exchange face's endpoint, known when it listens."""

    face: EwsFace
    url: str = ""

    def handle(self, request: Request) -> Response:
        if self.face.authenticate(request) is None:
            return unauthorized()
        if request.method != "POST" or request.too_large:
            return Response(200, b"", "text/html")
        found = self.face.faults.take("Autodiscover", request.headers.get("x-sandbox-fault", ""))
        try:
            early = self.face.before(found)
            if early is not None:
                return early
            root = soap.parse(request.body)
            if request.path.lower().endswith(".svc"):
                return Response(200, self._soap(root))
            return Response(200, self._plain(root))
        except SoapFault as fault:
            return Response(fault.status, soap.fault(fault))

    def _settings(self, mailbox: Mailbox) -> dict[str, str]:
        return {
            "UserDisplayName": mailbox.name,
            "UserDN": f"/o=Sandbox/ou=Users/cn=Recipients/cn={mailbox.guid}",
            "AutoDiscoverSMTPAddress": mailbox.address,
            "InternalEwsUrl": self.url,
            "ExternalEwsUrl": self.url,
            "EwsSupportedSchemas": "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2010_SP1, Exchange2010_SP2, Exchange2013, Exchange2013_SP1, Exchange2016",
            "ExternalEwsVersion": VERSIONS[self.face.version][1],
            "CasVersion": VERSIONS[self.face.version][1],
            "GroupingInformation": "sandbox",
            "MailboxDN": f"/o=Sandbox/cn={mailbox.guid}",
        }

    def _soap(self, root: Xml) -> bytes:
        """Raises SoapFault for a request that is not GetUserSettings."""
        message = root.find(f"{{{SOAP}}}Body/{a('GetUserSettingsRequestMessage')}")
        if message is None:
            raise SoapFault("Only GetUserSettings is served here.", code="ErrorInvalidRequest")
        users = [(element.text or "").strip() for element in message.iter(a("Mailbox"))]
        wanted = [(element.text or "").strip() for element in message.iter(a("Setting"))]
        envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "a": AUTODISCOVER, "i": XSI})
        header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
        info = etree.SubElement(header, a("ServerVersionInfo"))
        for name, value in soap.server_version(self.face.version).items():
            etree.SubElement(info, a(name)).text = value
        reply = etree.SubElement(
            etree.SubElement(envelope, f"{{{SOAP}}}Body"), a("GetUserSettingsResponseMessage")
        )
        response = etree.SubElement(reply, a("Response"))
        etree.SubElement(response, a("ErrorCode")).text = "NoError"
        etree.SubElement(response, a("ErrorMessage"))
        rows = etree.SubElement(response, a("UserResponses"))
        for user in users:
            self._user(etree.SubElement(rows, a("UserResponse")), user, wanted)
        return bytes(etree.tostring(envelope, encoding="utf-8", xml_declaration=True))

    def _user(self, row: Xml, user: str, wanted: list[str]) -> None:
        mailbox = self.face.world.mailbox(user)
        etree.SubElement(row, a("ErrorCode")).text = "NoError" if mailbox else "InvalidUser"
        etree.SubElement(row, a("ErrorMessage")).text = "No error." if mailbox else f"Invalid user: '{user}'"
        etree.SubElement(row, a("RedirectTarget"), {f"{{{XSI}}}nil": "true"})
        etree.SubElement(row, a("UserSettingErrors"))
        rows = etree.SubElement(row, a("UserSettings"))
        if mailbox is None:
            return
        known = self._settings(mailbox)
        for name in wanted:
            if name in known:
                setting = etree.SubElement(rows, a("UserSetting"), {f"{{{XSI}}}type": "a:StringSetting"})
                etree.SubElement(setting, a("Name")).text = name
                etree.SubElement(setting, a("Value")).text = known[name]

    def _plain(self, root: Xml) -> bytes:
        """Raises SoapFault for anything but an Autodiscover request."""
        address = next(
            ((element.text or "").strip() for element in root.iter() if local(element) == "EMailAddress"),
            None,
        )
        if address is None:
            raise SoapFault("An Autodiscover request names an e-mail address.", code="ErrorInvalidRequest")
        mailbox = self.face.world.mailbox(address)
        answer = etree.Element(f"{{{RESPONSE}}}Autodiscover", nsmap={None: RESPONSE})
        if mailbox is None:
            error = etree.SubElement(
                etree.SubElement(answer, f"{{{RESPONSE}}}Response"),
                f"{{{RESPONSE}}}Error",
                Time="00:00:00.0",
                Id="1",
            )
            etree.SubElement(error, f"{{{RESPONSE}}}ErrorCode").text = "500"
            etree.SubElement(error, f"{{{RESPONSE}}}Message").text = "The email address can't be found."
            etree.SubElement(error, f"{{{RESPONSE}}}DebugData")
            return bytes(etree.tostring(answer, encoding="utf-8", xml_declaration=True))
        response = etree.SubElement(answer, f"{{{OUTLOOK}}}Response", nsmap={None: OUTLOOK})
        user = etree.SubElement(response, f"{{{OUTLOOK}}}User")
        rows = {
            "DisplayName": mailbox.name,
            "LegacyDN": self._settings(mailbox)["UserDN"],
            "AutoDiscoverSMTPAddress": mailbox.address,
        }
        for name, value in rows.items():
            etree.SubElement(user, f"{{{OUTLOOK}}}{name}").text = value
        account = etree.SubElement(response, f"{{{OUTLOOK}}}Account")
        etree.SubElement(account, f"{{{OUTLOOK}}}AccountType").text = "email"
        etree.SubElement(account, f"{{{OUTLOOK}}}Action").text = "settings"
        for kind in ("EXCH", "EXPR"):
            protocol = etree.SubElement(account, f"{{{OUTLOOK}}}Protocol")
            etree.SubElement(protocol, f"{{{OUTLOOK}}}Type").text = kind
            etree.SubElement(protocol, f"{{{OUTLOOK}}}ASUrl").text = self.url
            etree.SubElement(protocol, f"{{{OUTLOOK}}}EwsUrl").text = self.url
        return bytes(etree.tostring(answer, encoding="utf-8", xml_declaration=True))
