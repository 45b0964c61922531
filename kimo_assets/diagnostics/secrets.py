"""Texts without secrets: what leaves this machine in a mail shows no password and no key."""

import os
from collections.abc import Callable, Iterator

from sqlalchemy.engine import URL, make_url

from kimo_assets.config import KimoConfig
from kimo_assets.notifications.settings import NotificationSettings
from kimo_assets.sources.connection import without_secrets

Masking = Callable[[str], str]


def masking(config: KimoConfig, settings: NotificationSettings) -> Masking:
    """Takes every password and key out of a text that this company's configuration has."""
    urls = [source.sqlalchemy_url for source in config.sources.values()]
    urls += _database_urls(config)
    secrets = [
        os.environ.get(config.geocoding.key_variable),
        os.environ.get(config.api.token_variable),
        settings.smtp.password if settings.smtp else None,
    ]

    def masked(text: str) -> str:
        for secret in secrets:
            # An empty text would be found between all letters.
            if secret:
                text = text.replace(secret, "***")
        return without_secrets(text, urls)

    return masked


def _database_urls(config: KimoConfig) -> Iterator[URL]:
    for url in (config.database.url, config.database.dagster_url):
        # The embedded server has no password.
        if url and url != "embedded":
            yield make_url(url)
