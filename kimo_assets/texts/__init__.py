"""The sentences that people meet, by key, in English and Italian: errors, logs, the UI, mails.

One module an area, each with its SENTENCES. A key begins with the name of its area: the sentence
`export.batch_in_doubt` stands in texts/export.py. An area is imported when its first sentence is
said. What programs read (JSON keys, reason codes, outcomes) is not text and stays out.
"""

from kimo_assets.texts.catalogue import Language, Sentence, current_language, say, use_language

__all__ = ["Language", "Sentence", "current_language", "say", "use_language"]
