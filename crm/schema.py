"""What people and processes see of the CRM: entities, their fields, and how they are called."""

from procession.records import BOOL, DATE, DATETIME, NUMBER, TEXT, Entity, Field, Schema, list_of, record_of

OPEN_STAGES = ("qualification", "discovery", "proposal", "negotiation")
STAGES = (*OPEN_STAGES, "won", "lost")
ACTIVITY_TYPES = ("email", "call", "task")
STATUSES = ("planned", "in_progress", "done", "cancelled")
PRIORITIES = ("low", "normal", "high")

_OWNER = Field(record_of("user"), "Owner")

_ACCOUNT = {
    "name": Field(TEXT, "Name", required=True),
    "website": Field(TEXT, "Website"),
    "phone": Field(TEXT, "Phone"),
    "industry": Field(TEXT, "Industry"),
    "country": Field(TEXT, "Country"),
    "owner": _OWNER,
}

_CONTACT = {
    "name": Field(TEXT, "Name", required=True),
    "salutation": Field(TEXT, "Salutation"),
    "first_name": Field(TEXT, "First name"),
    "last_name": Field(TEXT, "Last name"),
    "job_title": Field(TEXT, "Job title"),
    "email": Field(TEXT, "E-mail"),
    "phone": Field(TEXT, "Phone"),
    "emails": Field(list_of(TEXT), "All e-mail addresses", writable=False),
    "account": Field(record_of("account"), "Account"),
    "timezone": Field(TEXT, "Time zone"),
    "language": Field(TEXT, "Language"),
    "country": Field(TEXT, "Country"),
    "opt_out": Field(BOOL, "Wants no e-mail"),
    "owner": _OWNER,
}

_OPPORTUNITY = {
    "name": Field(TEXT, "Name", required=True),
    "stage": Field(TEXT, "Stage", options=STAGES),
    "amount": Field(NUMBER, "Amount"),
    "currency": Field(TEXT, "Currency"),
    "close_date": Field(DATE, "Close date"),
    "account": Field(record_of("account"), "Account"),
    "contact": Field(record_of("contact"), "Contact"),
    "owner": _OWNER,
    "is_open": Field(BOOL, "Open", writable=False),
}

_USER = {
    "name": Field(TEXT, "Name", required=True),
    "email": Field(TEXT, "E-mail", required=True),
    "mailbox": Field(TEXT, "Name and address", writable=False),
    "timezone": Field(TEXT, "Time zone"),
    "language": Field(TEXT, "Language"),
    "team": Field(TEXT, "Team"),
    "phone": Field(TEXT, "Phone"),
    "signature": Field(TEXT, "Signature"),
}

_ACTIVITY = {
    "type": Field(TEXT, "Type", required=True, options=ACTIVITY_TYPES),
    "category": Field(TEXT, "Category"),
    "is_meeting": Field(BOOL, "Meeting", writable=False),
    "subject": Field(TEXT, "Subject", required=True),
    "status": Field(TEXT, "Status", options=STATUSES),
    "priority": Field(TEXT, "Priority", options=PRIORITIES),
    "start": Field(DATETIME, "Start"),
    "end": Field(DATETIME, "End"),
    "due": Field(DATETIME, "Due"),
    "all_day": Field(BOOL, "All day"),
    "timezone": Field(TEXT, "Time zone"),
    "location": Field(TEXT, "Location"),
    "body": Field(TEXT, "Notes"),
    "owner": _OWNER,
    "contact": Field(record_of("contact"), "Contact"),
    "opportunity": Field(record_of("opportunity"), "Opportunity"),
    "account": Field(record_of("account"), "Account"),
    "participants": Field(list_of(record_of("contact")), "Participants", writable=False),
    "created_at": Field(DATETIME, "Created", writable=False),
    "modified_at": Field(DATETIME, "Modified", writable=False),
    "external": Field(BOOL, "From outside", writable=False),
    "incoming": Field(BOOL, "Received"),
    "uid": Field(TEXT, "Calendar UID", fixed=True),
}

SCHEMA = Schema(
    {
        "account": Entity("account", "Account", _ACCOUNT),
        "contact": Entity("contact", "Contact", _CONTACT),
        "opportunity": Entity("opportunity", "Opportunity", _OPPORTUNITY),
        "user": Entity("user", "User", _USER),
        "activity": Entity("activity", "Activity", _ACTIVITY),
    }
)
