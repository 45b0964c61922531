"""The section `geocoding`: the coordinates of customers and ship-to sites, which Google gives."""

from pydantic import Field

from kimo_assets.config.section import Section


class GeocodingConfig(Section):
    """Coordinates from Google, within its terms and your budget."""

    # kimo.yaml is kept under version control, where a key would stay for ever.
    key_variable: str = Field(
        default="GOOGLE_MAPS_API_KEY",
        description=(
            "The name of the environment variable that holds Google's key. The key itself stands "
            "in no file. Without it nothing is asked."
        ),
    )
    base_url: str = Field(
        default="https://maps.googleapis.com",
        description=(
            "The address of Google's service. Another one is only useful for a proxy or a test."
        ),
    )
    # Addresses in a company's own country seldom name it.
    country: str = Field(
        default="IT",
        pattern="^[A-Z]{2}$",
        description=(
            "The country of addresses that name none, as the two capital letters of ISO 3166."
        ),
        json_schema_extra={"patternErrorMessage": "Expected two capital letters, e.g. IT"},
    )
    language: str = Field(
        default="it",
        description="The language of Google's answers, as a code such as `it` or `en`.",
    )
    # Google itself refuses more than 50 a second.
    queries_per_second: int = Field(
        default=10,
        ge=1,
        le=50,
        description="How many addresses are asked for in a second at most.",
    )
    # The job covers all customers and ship-to sites (fact sheet, section 12), and each call costs.
    daily_budget: int = Field(
        default=2500,
        ge=1,
        description=(
            "How many calls a day are made at most, by Google's clock (Pacific time). What is left "
            "waits for the next day."
        ),
    )
    keep_days: float = Field(
        default=30,
        gt=0,
        le=30,
        description=(
            "How many days a coordinate is kept before it is asked for again. Google's terms "
            "allow 30 at most."
        ),
    )
    price_per_1000: float = Field(
        default=5.0,
        ge=0,
        description=(
            "What 1,000 calls cost, in the currency of your contract. Only `kimo geocode "
            "--preview` uses it."
        ),
    )
    timeout_s: float = Field(
        default=10,
        gt=0,
        description="How many seconds one call to Google may take.",
    )
