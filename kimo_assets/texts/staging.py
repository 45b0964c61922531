"""Sentences of step 1: the reasons why rows are rejected, its guard, its log lines and errors."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- the reasons of rejected rows: staging.rule.<rule>, also of the rules of step 2
    "staging.rule.text_too_long": Sentence(
        en="the text is longer than the field", it="il testo è più lungo del campo"
    ),
    "staging.rule.not_a_number": Sentence(
        en="the value is not a number", it="il valore non è un numero"
    ),
    "staging.rule.decimal_comma": Sentence(
        en="the number has a decimal comma where a point is expected",
        it="il numero ha la virgola decimale invece del punto",
    ),
    "staging.rule.out_of_range": Sentence(
        en="the number is too large for the field", it="il numero è troppo grande per il campo"
    ),
    "staging.rule.not_a_whole_number": Sentence(
        en="a whole number is expected", it="è richiesto un numero intero"
    ),
    "staging.rule.not_a_flag": Sentence(
        en="a flag is 0 or 1", it="un indicatore può valere solo 0 o 1"
    ),
    "staging.rule.impossible_date": Sentence(
        en="there is no such date, or it is not in the expected form (year-month-day, if no other"
        " is set)",
        it="la data non esiste, o non è scritta nella forma prevista (anno-mese-giorno, salvo"
        " diversa indicazione)",
    ),
    "staging.rule.unknown_enum_code": Sentence(
        en="the code is not among those of the field",
        it="il codice non è tra quelli previsti per il campo",
    ),
    "staging.rule.missing_key": Sentence(en="the row has no key", it="la riga non ha una chiave"),
    "staging.rule.duplicate_key": Sentence(
        en="another row of the snapshot has the same key", it="un'altra riga ha la stessa chiave"
    ),
    "staging.rule.invalid_characters": Sentence(
        en="the text holds a NUL or bytes that are no characters",
        it="il testo contiene un carattere NUL o byte che non sono caratteri",
    ),
    "staging.rule.missing_owner": Sentence(
        en="the row is a part of a row that is not there",
        it="la riga appartiene a un'altra che non è presente",
    ),
    "staging.rule.transformation_failed": Sentence(
        en="the field's transformation fails on this row",
        it="la trasformazione del campo non riesce su questa riga",
    ),
    "staging.rule.unknown_erp_status": Sentence(
        en="the status has no entry among erp_statuses in kimo.yaml or ErpStatus of the settings",
        it="lo stato non è tra quelli decodificati (erp_statuses, o stati ERP delle impostazioni)",
    ),
    "staging.reason_with_detail": Sentence(en="{reason}: {detail}", it="{reason}: {detail}"),
    # --- what finds a rejected row
    "staging.not_mapped": Sentence(
        en="{entity} is no longer mapped", it="{entity} non è più mappata"
    ),
    "staging.cut_cell": Sentence(
        en="{text} ... ({count:,} characters)", it="{text} ... ({count:,} caratteri)"
    ),
    # --- errors of an entity
    "staging.id_from_one_source_only": Sentence(
        en="one source gives an Id for {entity} and another does not: map entities.{entity}.fields"
        ".Id for both, or for none",
        it="una sorgente dà un Id per {entity} e un'altra no: mappare entities.{entity}.fields.Id"
        " per entrambe o per nessuna",
    ),
    "staging.mapping_has_changed": Sentence(
        en="{entity} is mapped in another way than when it was last imported, so its rejected rows"
        " cannot be read again one by one. Import it.",
        it="{entity} è mappata in modo diverso dall'ultimo import: le sue righe scartate non si"
        " possono rileggere una per una. Importarla.",
    ),
    "staging.shrunk": Sentence(
        en="the snapshot has {rows} rows, the last one had {before} ({lost:.0%} are gone,"
        " {allowed:.0%} are allowed). Yesterday's data stay. If it is right so, run again with"
        " --allow-shrink.",
        it="lo snapshot ha {rows} righe, il precedente ne aveva {before} ({lost:.0%} in meno, il"
        " limite è {allowed:.0%}). I dati di ieri restano. Se è giusto così, rilanciare con"
        " --allow-shrink.",
    ),
    "staging.shrunk_with_rejections": Sentence(
        en="the snapshot has {rows} rows, the last one had {before} ({lost:.0%} are gone,"
        " {allowed:.0%} are allowed). {rejected} of {read} rows read were rejected. Yesterday's"
        " data stay. If it is right so, run again with --allow-shrink.",
        it="lo snapshot ha {rows} righe, il precedente ne aveva {before} ({lost:.0%} in meno, il"
        " limite è {allowed:.0%}). Delle {read} righe lette {rejected} sono state scartate. I dati"
        " di ieri restano. Se è giusto così, rilanciare con --allow-shrink.",
    ),
    # --- lines of the log
    "staging.read_again": Sentence(
        en="{entity}: {reason}. The source answers again, so {entity} is read from its start",
        it="{entity}: {reason}. La sorgente risponde di nuovo: {entity} viene riletta dall'inizio",
    ),
    "staging.read_by_cursor": Sentence(
        en="{reason}: it is read from its start by the plain cursor",
        it="{reason}: viene riletta dall'inizio con il cursore semplice",
    ),
}
