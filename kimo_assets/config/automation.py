"""The section `schedules`: what runs by itself, and when."""

from typing import Annotated, Literal

from pydantic import Field

from kimo_assets.catalog import menu
from kimo_assets.config.section import Section

Cron = Annotated[
    str,
    Field(
        examples=["30 2 * * *", "*/10 6-20 * * 1-6"],
        json_schema_extra={
            "pattern": r"^\s*\S+(\s+\S+){4}\s*$",
            "patternErrorMessage": "Expected five fields of cron, e.g. 30 2 * * *",
        },
    ),
]


class EntitiesSchedule(Section):
    """Entities that are imported more often than the rest."""

    cron: Cron = Field(
        description=(
            "When they are imported, as five fields of cron: minute, hour, day of the month, "
            "month, day of the week."
        )
    )
    entities: tuple[str, ...] = Field(
        min_length=1,
        description="The names of the entities, which have to be mapped.",
        examples=[["ItemOfflineAvailability", "PriceListItem"]],
    )
    # True, unlike in the mask: availability is read every few minutes, and with linked entities
    # each time would read all items and whatever they point to.
    only_listed: bool = Field(
        default=True,
        description=(
            "Whether only these entities are imported. With false the linked ones are imported "
            "too, as in the vendor's mask."
        ),
    )


SensorName = Literal["erp_finished", "records_waiting", "new_pictures"]


class SchedulesConfig(Section):
    """When jobs run by themselves. A job without a schedule does not run by itself."""

    timezone: str = Field(
        default="Europe/Rome",
        description=(
            "The time zone of all schedules, and of the times in mails, as a name of the IANA "
            "database."
        ),
    )
    # The vendor leaves times to the Windows Task Scheduler and recommends none (fact sheet, section
    # 3), so that nothing runs by default.
    full_import: Cron | None = Field(
        default=None,
        description=(
            f"When everything is imported ({menu.FULL_IMPORT.title}), as five fields of cron: "
            "minute, hour, day of the month, month, day of the week."
        ),
    )
    entities: tuple[EntitiesSchedule, ...] = Field(
        default=(),
        description=(
            "Schedules for single entities that change more often than once a day, such as "
            "availability and prices."
        ),
    )
    export: Cron | None = Field(
        default=None,
        description=(
            f"When records are sent to the ERP ({menu.EXPORT.title}), as five fields of cron."
        ),
    )
    import_files: Cron | None = Field(
        default=None,
        description=(
            f"When pictures are imported from files ({menu.IMPORT_FILES.title}), as five "
            "fields of cron."
        ),
    )
    download_images: Cron | None = Field(
        default=None,
        description=(
            f"When pictures are downloaded ({menu.DOWNLOAD_IMAGES.title}), as five fields of cron."
        ),
    )
    geocoding: Cron | None = Field(
        default=None,
        description=(
            f"When coordinates are asked for ({menu.GEOCODE.title}), as five fields of cron."
        ),
    )
    morning_report: Cron | None = Field(
        default=None,
        description="When the morning report is mailed, as five fields of cron.",
        examples=["0 7 * * 1-6"],
    )
    cleaning: Cron | None = Field(
        default=None,
        description=(
            "When records of the past are deleted that `retention` does not keep, as five fields "
            "of cron."
        ),
        examples=["0 3 * * 0"],
    )
    sensors: tuple[SensorName, ...] = Field(
        default=(),
        description=(
            "The sensors that are on from the start, of those that start imports, exports or "
            "picture jobs (docs/automation.md). The switch in the UI has the last word."
        ),
    )
