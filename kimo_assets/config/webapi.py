"""The section `api`: the vendor's web API, which `kimo serve` answers."""

from pydantic import Field

from kimo_assets.config.section import Section


class ApiConfig(Section):
    """The vendor's web API (docs/api.md)."""

    # The vendor's endpoints have no authentication that is described (fact sheet, section 3).
    token_variable: str = Field(
        default="KIMO_API_TOKEN",
        description=(
            "The name of the environment variable that holds the token of the callers. Without "
            "the variable every request is refused."
        ),
    )
    per_minute: int = Field(
        default=30,
        ge=1,
        description="How many requests from one address are answered in a minute.",
    )
    graphql_url: str = Field(
        default="http://127.0.0.1:3000/graphql",
        description="The address of the GraphQL of the Dagster webserver that launches the runs.",
    )
    code_location: str | None = Field(
        default=None,
        description=(
            "Which code location of the webserver is this company's. Only needed where one "
            "webserver serves several companies."
        ),
    )
    # The vendor discards a request while any earlier command is running (fact sheet, section 3).
    side_jobs_apart: bool = Field(
        default=False,
        description=(
            "Whether jobs on pictures and coordinates stay apart from imports and exports. With "
            "true a request for one kind is never discarded because of the other."
        ),
    )
