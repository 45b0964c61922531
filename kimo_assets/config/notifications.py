"""The section `notifications`: who gets which mails, and by which server."""

from typing import Literal

from pydantic import Field

from kimo_assets.catalog.menu import FULL_IMPORT, IMPORT_ENTITIES
from kimo_assets.config.section import Section


class SmtpConfig(Section):
    """The mail server."""

    host: str = Field(description="The name or the address of the mail server.")
    # 25 is the vendor's default too (fact sheet, section 6).
    port: int = Field(
        default=25,
        ge=1,
        le=65535,
        description="The port of the mail server. 587 is usual for starttls, 465 for ssl.",
    )
    # The vendor's EnablSsl knows on and off only (fact sheet, section 6).
    security: Literal["plain", "starttls", "ssl"] = Field(
        default="starttls",
        description=(
            "How the connection is encrypted: not at all (`plain`), after a greeting "
            "(`starttls`), or from the first byte (`ssl`). Certificates are checked."
        ),
    )
    username: str | None = Field(
        default=None,
        description="The user at the mail server. Without it Kimo does not log in.",
    )
    password: str | None = Field(
        default=None,
        description=(
            "The password of that user. Write it as ${VARIABLE}, so that it stays out of the file."
        ),
        examples=["${SMTP_PASSWORD}"],
    )
    timeout_s: float = Field(
        default=20,
        gt=0,
        description="How many seconds the mail server may take to answer.",
    )


class NotificationsConfig(Section):
    """Who gets mails about runs, and the morning report.

    Where a key is not set, the console's MailServer and NotificationCenter settings hold.
    """

    # Not mixed with the console's: a host from here would get the password of another server.
    smtp: SmtpConfig | None = Field(
        default=None,
        description=(
            "The mail server, taken from here as a whole. By default the console's settings "
            "MailServer\\SmtpServer and those beside it. Without a server no mail is sent."
        ),
    )
    sender: str | None = Field(
        default=None,
        description=(
            "The mail address that mails come from. By default the console's "
            "NotificationCenter\\SenderAddress, else one made of the mail server's user or host."
        ),
    )
    sender_name: str | None = Field(
        default=None,
        description=(
            "The name beside the sender's address. By default the console's "
            "NotificationCenter\\SenderName, else Kimo."
        ),
    )
    # Two lists, as the vendor's NotificationCenter has them (fact sheet, section 6).
    info_recipients: tuple[str, ...] = Field(
        default=(),
        description=(
            "The mail addresses that get messages of success. By default the console's "
            "NotificationCenter\\InfoRecipients."
        ),
    )
    error_recipients: tuple[str, ...] = Field(
        default=(),
        description=(
            "The mail addresses that get messages of failure and recovery. By default the "
            "console's NotificationCenter\\ErrorRecipients."
        ),
    )
    success_of: tuple[str, ...] = Field(
        default=(FULL_IMPORT.job, IMPORT_ENTITIES.job),
        description=(
            "The jobs whose success is mailed, by their names in the UI. Failures and recoveries "
            "of every job are mailed."
        ),
    )
    still_failing_hours: float = Field(
        default=24,
        gt=0,
        description=(
            "After how many hours a job that goes on failing is mailed about again. The default "
            "is one mail a day."
        ),
    )
    # Mails go to the company's IT people, who read Italian.
    language: Literal["it", "en"] = Field(
        default="it",
        description="The language of the mails: Italian (`it`) or English (`en`).",
    )
    ui_url: str | None = Field(
        default=None,
        description=(
            "The address of the UI, which links in mails and answers begin with. By default the "
            "console's Web\\BaseUrl."
        ),
        examples=["https://kimo.example.it"],
    )
