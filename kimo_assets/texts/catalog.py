"""Sentences of catalog/: types, references and agent scopes in words, and errors of its data."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- types of fields: catalog.type.<type>
    "catalog.type.code": Sentence(en="code", it="codice"),
    "catalog.type.code_of_list": Sentence(en="code of a list", it="codice di un elenco"),
    "catalog.type.flags": Sentence(en="codes that add up", it="codici che si sommano"),
    "catalog.type.dec": Sentence(en="number", it="numero"),
    "catalog.type.int": Sentence(en="whole number", it="numero intero"),
    "catalog.type.bool": Sentence(en="flag", it="indicatore"),
    "catalog.type.date": Sentence(en="date", it="data"),
    "catalog.type.dt": Sentence(en="date and time", it="data e ora"),
    # --- references
    "catalog.reference_not_enforced": Sentence(
        en="{target} (not enforced)", it="{target} (non verificato)"
    ),
    "catalog.reference_by_type": Sentence(
        en="by {column}: {targets}", it="per {column}: {targets}"
    ),
    "catalog.reference_console": Sentence(en="{target} (console)", it="{target} (console)"),
    # --- agent scopes: catalog.scope.<kind>, filled with the scope's own values
    "catalog.scope.everyone": Sentence(en="every agent", it="tutti gli agenti"),
    "catalog.scope.none": Sentence(en="no agent", it="nessun agente"),
    "catalog.scope.agent_column": Sentence(
        en="the agent in {column}", it="l'agente indicato in {column}"
    ),
    "catalog.scope.agent_column_partly_public": Sentence(
        en="every agent for {everyone_columns}, only the agent in {column} for the whole row",
        it="tutti gli agenti per {everyone_columns}, solo l'agente indicato in {column} per la riga"
        " intera",
    ),
    "catalog.scope.via_account": Sentence(
        en="agents who see the account in {column}",
        it="gli agenti che vedono il cliente indicato in {column}",
    ),
    "catalog.scope.via_account_when": Sentence(
        en="agents who see the account in {column}, if {when}",
        it="gli agenti che vedono il cliente indicato in {column}, se {when}",
    ),
    "catalog.scope.via_item": Sentence(
        en="agents who see the item in {column}",
        it="gli agenti che vedono l'articolo indicato in {column}",
    ),
    "catalog.scope.via_parent": Sentence(
        en="agents who see the {parent} in {column}",
        it="gli agenti che vedono la riga di {parent} indicata in {column}",
    ),
    "catalog.scope.via_parent_agent": Sentence(
        en="the agent that the {parent} in {column} names as {parent_agent_column}",
        it="l'agente che la riga di {parent} indicata in {column} riporta in {parent_agent_column}",
    ),
    "catalog.scope.via_warehouse": Sentence(
        en="agents whose warehouse is the one in {column} (by {agent_sources})",
        it="gli agenti il cui magazzino è quello indicato in {column} (secondo {agent_sources})",
    ),
    "catalog.scope.via_trademark": Sentence(
        en="agents who have the trademark in {column} (by {agent_link})",
        it="gli agenti che hanno il marchio indicato in {column} (secondo {agent_link})",
    ),
    "catalog.scope.via_trademark_by_rule": Sentence(
        en="agents who have the trademark in {column} (by {agent_link}), if the business rule"
        " {enabled_by_rule} is on",
        it="gli agenti che hanno il marchio indicato in {column} (secondo {agent_link}), se la"
        " regola aziendale {enabled_by_rule} è attiva",
    ),
    "catalog.scope.via_link": Sentence(
        en="agents that {link} names for {column}",
        it="gli agenti che {link} indica per {column}",
    ),
    "catalog.scope.via_shared_filter": Sentence(
        en="agents who share a filter of {link} with {column} (by {agent_link})",
        it="gli agenti che hanno un filtro di {link} in comune con {column} (secondo {agent_link})",
    ),
    "catalog.scope.via_encoded_account": Sentence(
        en="agents who see an account that {type_column} and {key_column} mean, every agent for"
        " other types",
        it="gli agenti che vedono un cliente indicato da {type_column} e {key_column}, tutti gli"
        " agenti per gli altri tipi",
    ),
    "catalog.scope.via_encoded_item": Sentence(
        en="agents who see an item that {type_column} and {key_column} mean, every agent for other"
        " types",
        it="gli agenti che vedono un articolo indicato da {type_column} e {key_column}, tutti gli"
        " agenti per gli altri tipi",
    ),
    "catalog.scope.via_promotion_filter": Sentence(
        en="agents that {link} includes for {column}, by account or agent, every agent without such"
        " rows",
        it="gli agenti che {link} include per {column}, per cliente o agente, tutti gli agenti se"
        " non ci sono righe",
    ),
    "catalog.scope.channel": Sentence(
        en="every agent, if {column} admits the channel {channel}",
        it="tutti gli agenti, se {column} ammette il canale {channel}",
    ),
    "catalog.scope.via_entity_reference": Sentence(
        en="agents who see the row that {type_column} and {key_column} name",
        it="gli agenti che vedono la riga indicata da {type_column} e {key_column}",
    ),
    "catalog.scope.any_of": Sentence(en="any of these", it="almeno una di queste"),
    "catalog.scope.all_of": Sentence(en="all of these", it="tutte queste"),
    "catalog.scope.by_business_rule": Sentence(
        en="as the business rule {rule} says (not set: {default})",
        it="come dice la regola aziendale {rule} (se manca: {default})",
    ),
    # --- what stands around scopes
    "catalog.and_only_if": Sentence(en="and only if", it="e solo se"),
    "catalog.blank": Sentence(
        en="{rule}, every agent where it is empty", it="{rule}, tutti gli agenti se è vuoto"
    ),
    "catalog.fallback": Sentence(
        en="{rule} (asked only where the other rules name no agent)",
        it="{rule} (solo se le altre regole non indicano nessun agente)",
    ),
    "catalog.condition": Sentence(en="{column} is {codes}", it="{column} è {codes}"),
    "catalog.or": Sentence(en=" or ", it=" o "),
    "catalog.and": Sentence(en=" and ", it=" e "),
    # --- errors of the notation
    "catalog.unreadable_field": Sentence(
        en="catalogue: field {field}: cannot read '{line}'",
        it="catalogo: campo {field}: '{line}' non è leggibile",
    ),
    "catalog.unreadable_reference": Sentence(
        en="catalogue: field {field}: cannot read the reference '{text}'",
        it="catalogo: campo {field}: il riferimento '{text}' non è leggibile",
    ),
    "catalog.no_codes": Sentence(
        en="catalogue: field {field}: no codes are listed for '{enum}' in '{line}'",
        it="catalogo: campo {field}: per '{enum}' in '{line}' non è elencato nessun codice",
    ),
    "catalog.unknown_type": Sentence(
        en="catalogue: field {field}: unknown type in '{line}'",
        it="catalogo: campo {field}: tipo sconosciuto in '{line}'",
    ),
    "catalog.no_pair": Sentence(
        en="catalogue: field {field}: expected column=value, got '{text}'",
        it="catalogo: campo {field}: atteso colonna=valore, trovato '{text}'",
    ),
}
