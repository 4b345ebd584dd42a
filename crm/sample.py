"""A small company's data to try processes on, and meetings by the thousand to measure with.

Everybody's address is under `.example`, which no mail server will ever answer for (RFC 2606).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import Any

from procession.errors import InputError
from procession.ports import Actor, Records, Store
from procession.records import Record, Ref, ref_of

Rows = Mapping[str, Mapping[str, Any]]
"""`{nickname: {field: value}}`; a reference is written by its nickname."""

ACTOR = Actor("import", "sample data")

USERS: Rows = {
    "anna": {"name": "Anna Berg", "email": "anna.berg@us.example", "timezone": "Europe/Berlin", "language": "de",
             "team": "sales", "phone": "+49 30 5550 101", "signature": "Anna Berg\nSales, Berlin"},
    "bob": {"name": "Bob Carter", "email": "bob.carter@us.example", "timezone": "America/New_York",
            "language": "en", "team": "sales", "phone": "+1 212 555 0102", "signature": "Bob Carter\nSales, New York"},
    "chloe": {"name": "Chloé Martin", "email": "chloe.martin@us.example", "timezone": "Europe/Paris",
              "language": "fr", "team": "sales-ops", "signature": "Chloé Martin\nSales operations"},
    "dev": {"name": "Dev Patel", "email": "dev.patel@us.example", "timezone": "Asia/Kolkata", "language": "en",
            "team": "sales-ops", "signature": "Dev Patel\nSales operations"},
}  # fmt: skip

ACCOUNTS: Rows = {
    "acme": {"name": "Acme GmbH", "industry": "Machinery", "country": "DE", "owner": "anna",
             "website": "https://acme.example", "phone": "+49 89 5550 200"},
    "lumiere": {"name": "Lumière SARL", "industry": "Lighting", "country": "FR", "owner": "anna",
                "website": "https://lumiere.example"},
    "northwind": {"name": "Northwind Traders, Inc.", "industry": "Food", "country": "US", "owner": "bob",
                  "website": "https://northwind.example", "phone": "+1 503 555 0110"},
    "sakura": {"name": "Sakura Shoji", "industry": "Trade", "country": "JP", "owner": "bob",
               "website": "https://sakura.example"},
    "tulpen": {"name": "Tulpen & Zonen B.V.", "industry": "Horticulture", "country": "NL", "owner": "anna"},
    "kiwi": {"name": "Kiwi Orchards Ltd", "industry": "Agriculture", "country": "NZ", "owner": "bob"},
}  # fmt: skip

CONTACTS: Rows = {
    "ann": {"name": "Ann Becker", "salutation": "Frau", "first_name": "Ann", "last_name": "Becker",
            "job_title": "Head of Purchasing", "email": "ann.becker@acme.example", "account": "acme",
            "timezone": "Europe/Berlin", "language": "de", "country": "DE", "owner": "anna"},
    "jonas": {"name": "Jonas Weiß", "salutation": "Herr", "first_name": "Jonas", "last_name": "Weiß",
              "job_title": "Engineer", "email": "jonas.weiss@acme.example", "account": "acme",
              "timezone": "Europe/Berlin", "language": "de", "country": "DE", "owner": "anna"},
    "karin": {"name": "Karin Großmann", "salutation": "Frau", "first_name": "Karin", "last_name": "Großmann",
              "job_title": "Managing Director", "email": "karin@acme.example", "account": "acme", "opt_out": True,
              "timezone": "Europe/Vienna", "language": "de-AT", "country": "AT", "owner": "anna"},
    "luc": {"name": "Luc Dupont", "salutation": "Monsieur", "first_name": "Luc", "last_name": "Dupont",
            "job_title": "Acheteur", "email": "luc.dupont@lumiere.example", "account": "lumiere",
            "timezone": "Europe/Paris", "language": "fr", "country": "FR", "owner": "anna"},
    "elodie": {"name": "Élodie Petit", "salutation": "Madame", "first_name": "Élodie", "last_name": "Petit",
               "job_title": "Directrice", "email": "elodie.petit@lumiere.example", "account": "lumiere",
               "timezone": "Europe/Brussels", "language": "fr-BE", "country": "BE", "owner": "anna"},
    "nora": {"name": "Nora Williams", "salutation": "Ms", "first_name": "Nora", "last_name": "Williams",
             "job_title": "VP Operations", "email": "nora.williams@northwind.example", "phone": "+1 503 555 0111",
             "account": "northwind", "timezone": "America/Los_Angeles", "language": "en-US", "country": "US",
             "owner": "bob"},
    "oscar": {"name": "Oscar Diaz", "salutation": "Mr", "first_name": "Oscar", "last_name": "Diaz",
              "job_title": "Buyer", "email": "oscar.diaz@northwind.example", "account": "northwind",
              "timezone": "America/Chicago", "language": "es", "country": "US", "owner": "bob"},
    "pat": {"name": "Pat Murphy", "first_name": "Pat", "last_name": "Murphy", "job_title": "Warehouse",
            "phone": "+1 503 555 0112", "account": "northwind", "timezone": "America/Los_Angeles",
            "language": "en-US", "country": "US", "owner": "bob"},
    "yuki": {"name": "Yuki Tanaka", "salutation": "Ms", "first_name": "Yuki", "last_name": "Tanaka",
             "job_title": "Import Manager", "email": "yuki.tanaka@sakura.example", "account": "sakura",
             "timezone": "Asia/Tokyo", "language": "ja", "country": "JP", "owner": "bob"},
    "ken": {"name": "Ken Sato", "salutation": "Mr", "first_name": "Ken", "last_name": "Sato",
            "job_title": "Director", "email": "ken.sato@sakura.example", "account": "sakura",
            "timezone": "Asia/Tokyo", "language": "en", "country": "JP", "owner": "bob"},
    "sanne": {"name": "Sanne de Vries", "salutation": "Mevrouw", "first_name": "Sanne", "last_name": "de Vries",
              "job_title": "Inkoper", "email": "sanne@tulpen.example", "account": "tulpen",
              "timezone": "Europe/Amsterdam", "language": "nl", "country": "NL", "owner": "anna"},
    "pieter": {"name": "Pieter Bakker", "salutation": "Meneer", "first_name": "Pieter", "last_name": "Bakker",
               "job_title": "Directeur", "email": "pieter@tulpen.example", "account": "tulpen",
               "timezone": "Europe/Amsterdam", "language": "en-GB", "country": "NL", "owner": "anna"},
    "maia": {"name": "Maia Ngata", "salutation": "Ms", "first_name": "Maia", "last_name": "Ngata",
             "job_title": "Orchard Manager", "email": "maia@kiwi.example", "account": "kiwi",
             "timezone": "Pacific/Auckland", "language": "en-NZ", "country": "NZ", "owner": "bob"},
    "tom": {"name": "Tom Hughes", "salutation": "Mr", "first_name": "Tom", "last_name": "Hughes",
            "job_title": "Consultant", "email": "tom@hughes.example", "timezone": "Europe/London",
            "language": "en-GB", "country": "GB", "owner": "bob"},
}  # fmt: skip


def _opportunities(now: datetime) -> Rows:
    def closing(in_days: int) -> Any:
        return (now + timedelta(days=in_days)).date()

    return {
        "press_line": {"name": "Press line for plant 2", "stage": "proposal", "amount": 184000, "currency": "EUR",
                       "close_date": closing(40), "account": "acme", "contact": "ann", "owner": "anna"},
        "spare_parts": {"name": "Spare parts contract", "stage": "negotiation", "amount": 23500.5,
                        "currency": "EUR", "close_date": closing(12), "account": "acme", "contact": "jonas",
                        "owner": "anna"},
        "street_lamps": {"name": "Street lamps for Lille", "stage": "discovery", "amount": 310000,
                         "currency": "EUR", "close_date": closing(90), "account": "lumiere", "contact": "luc",
                         "owner": "anna"},
        "cold_chain": {"name": "Cold chain monitoring", "stage": "qualification", "amount": 57000,
                       "currency": "USD", "close_date": closing(60), "account": "northwind", "contact": "nora",
                       "owner": "bob"},
        "pallets": {"name": "Pallets 2nd half", "stage": "won", "amount": 8900, "currency": "USD",
                    "close_date": closing(-20), "account": "northwind", "contact": "oscar", "owner": "bob"},
        "tea_import": {"name": "Tea import", "stage": "proposal", "amount": 4200000, "currency": "JPY",
                       "close_date": closing(30), "account": "sakura", "contact": "yuki", "owner": "bob"},
        "greenhouse": {"name": "Greenhouse lighting", "stage": "lost", "amount": 76000, "currency": "EUR",
                       "close_date": closing(-5), "account": "tulpen", "contact": "sanne", "owner": "anna"},
        "orchard": {"name": "Orchard sensors", "stage": "discovery", "currency": "NZD", "account": "kiwi",
                    "contact": "maia", "owner": "bob"},
    }  # fmt: skip


def _activities(now: datetime) -> Rows:
    def at(days: float, hours: float = 0) -> datetime:
        hour = now.replace(minute=0, second=0, microsecond=0)
        return hour + timedelta(days=days, hours=hours)

    meeting = {"type": "task", "category": "meeting"}
    return {
        "press_meeting": {**meeting, "subject": "Press line: the offer", "start": at(3), "end": at(3, 1),
                          "timezone": "Europe/Berlin", "location": "Werk 2, München", "contact": "ann",
                          "opportunity": "press_line", "account": "acme", "owner": "anna"},
        "parts_meeting": {**meeting, "subject": "Spare parts: terms", "start": at(6, 2), "end": at(6, 3),
                          "timezone": "Europe/Berlin", "contact": "jonas", "opportunity": "spare_parts",
                          "account": "acme", "owner": "anna"},
        "lille_meeting": {**meeting, "subject": "Visite à Lille", "start": at(9), "end": at(9, 2),
                          "timezone": "Europe/Paris", "location": "Mairie de Lille", "contact": "luc",
                          "opportunity": "street_lamps", "account": "lumiere", "owner": "anna"},
        "ops_meeting": {**meeting, "subject": "Cold chain kick-off", "start": at(4, 8), "end": at(4, 9),
                        "timezone": "America/Los_Angeles", "contact": "nora", "opportunity": "cold_chain",
                        "account": "northwind", "owner": "bob"},
        "warehouse_meeting": {**meeting, "subject": "Tour of the warehouse", "start": at(5), "end": at(5, 1),
                              "timezone": "America/Los_Angeles", "contact": "pat", "opportunity": "cold_chain",
                              "account": "northwind", "owner": "bob"},
        "past_meeting": {**meeting, "subject": "First visit", "start": at(-14), "end": at(-14, 1),
                         "status": "done", "contact": "sanne", "opportunity": "greenhouse", "account": "tulpen",
                         "owner": "anna"},
        "call_yuki": {"type": "call", "category": "call", "subject": "Prices in yen", "due": at(1),
                      "contact": "yuki", "opportunity": "tea_import", "account": "sakura", "owner": "bob"},
        "call_tom": {"type": "call", "category": "call", "subject": "Ask Tom for a reference", "due": at(2),
                     "priority": "low", "contact": "tom", "owner": "bob"},
        "write_offer": {"type": "task", "category": "paperwork", "subject": "Write the offer", "due": at(2),
                        "priority": "high", "status": "in_progress", "opportunity": "tea_import", "owner": "chloe"},
        "clean_up": {"type": "task", "category": "to do", "subject": "Find doubled contacts", "due": at(20),
                     "owner": "dev"},
    }  # fmt: skip


def load(store: Store, now: datetime) -> dict[str, Ref]:
    """Save the sample data in one unit; times are counted from `now`. Returns every record by its nickname.

    Raises:
        InputError: it is in this store already.
    """
    refs: dict[str, Ref] = {}
    with store.unit() as unit:
        if unit.records.find("user", {"email": USERS["anna"]["email"]}, limit=1):
            raise InputError("The sample data is in this store already.")
        for entity, rows in (
            ("user", USERS),
            ("account", ACCOUNTS),
            ("contact", CONTACTS),
            ("opportunity", _opportunities(now)),
            ("activity", _activities(now)),
        ):
            values = [_with_refs(row, refs) for row in rows.values()]
            refs |= zip(rows, unit.records.create(entity, values, ACTOR), strict=True)
        unit.commit()
    return refs


_REFERENCES = ("owner", "account", "contact", "opportunity")


def _with_refs(row: Mapping[str, Any], refs: Mapping[str, Ref]) -> dict[str, Any]:
    return {name: refs[value] if name in _REFERENCES else value for name, value in row.items()}


@dataclass(frozen=True, slots=True)
class Meeting:
    """A planned meeting to save; without an opportunity, an owner or an account it has none."""

    subject: str
    start: datetime
    contact: Ref
    opportunity: Ref | None = None
    account: Ref | None = None
    owner: Ref | None = None

    def values(self) -> dict[str, Any]:
        return {
            "type": "task",
            "category": "meeting",
            "status": "planned",
            "subject": self.subject,
            "start": self.start,
            "end": self.start + timedelta(hours=1),
            "contact": self.contact,
            "opportunity": self.opportunity,
            "account": self.account,
            "owner": self.owner,
        }


def save_meeting(store: Store, meeting: Meeting, actor: Actor = ACTOR) -> Ref:
    with store.unit() as unit:
        (ref,) = unit.records.create("activity", [meeting.values()], actor)
        unit.commit()
    return ref


def save_meetings(store: Store, count: int, now: datetime, actor: Actor = ACTOR) -> list[Ref]:
    """Save `count` planned meetings in one unit, each with another contact, in turn about one of the open
    opportunities. Contacts that are missing to so many are made up.

    Raises:
        InputError: the sample data is not there.
    """
    with store.unit() as unit:
        contacts = _contacts(unit.records, count, actor)
        opportunities = unit.records.find("opportunity", {"is_open": True}, order="id")
        if not opportunities:
            raise InputError("There are no opportunities to meet about.", hint="Load the sample data first.")
        meetings = [
            _meeting(number, contact, opportunity, now)
            for number, (contact, opportunity) in enumerate(
                zip(contacts, cycle(opportunities), strict=False), 1
            )
        ]
        refs = unit.records.create("activity", [meeting.values() for meeting in meetings], actor)
        unit.commit()
    return refs


def _meeting(number: int, contact: Ref, about: Record, now: datetime) -> Meeting:
    start = now.replace(second=0, microsecond=0) + timedelta(days=2, minutes=15 * (number % 96))
    account = ref_of(about.account) if about.account else None
    owner = ref_of(about.owner) if about.owner else None
    return Meeting(f"Review {number}: {about.name}", start, contact, ref_of(about), account, owner)


def _contacts(records: Records, count: int, actor: Actor) -> Sequence[Ref]:
    """So many contacts that have an address and may be written to."""
    there = records.find("contact", {"opt_out": False}, order="id", limit=count + len(CONTACTS))
    usable = [ref_of(contact) for contact in there if contact.email][:count]
    missing = count - len(usable)
    owners = records.find("user", {"team": "sales"}, order="id")
    accounts = records.find("account", {}, order="id")
    rows = [
        {
            "name": f"Guest {number}",
            "first_name": "Guest",
            "last_name": str(number),
            "email": f"guest{number}@visitors.example",
            "account": account,
            "owner": owner,
            "timezone": zone,
            "language": language,
        }
        for number, account, owner, (zone, language) in islice(
            zip(range(len(there) + 1, 10**9), cycle(accounts), cycle(owners), cycle(_ZONES), strict=False),
            missing,
        )
    ]
    return [*usable, *records.create("contact", rows, actor)]


_ZONES = (
    ("Europe/Berlin", "de"),
    ("Europe/Paris", "fr"),
    ("America/New_York", "en"),
    ("Asia/Tokyo", "en"),
)
