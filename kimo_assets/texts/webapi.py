"""Answers of the web API, and its line in the log."""

from kimo_assets.texts.catalogue import Sentence

_ACCESS = {
    "webapi.method": Sentence(
        en="Only GET is answered here, as by the vendor.",
        it="Qui si risponde solo a GET, come fa il produttore.",
    ),
    "webapi.too_many": Sentence(
        en=(
            "Too many requests from this address (api.per_minute of kimo.yaml). Ask again in"
            " {seconds} s."
        ),
        it=(
            "Troppe richieste da questo indirizzo (api.per_minute di kimo.yaml). Riprovare tra"
            " {seconds} s."
        ),
    ),
    "webapi.prefetch": Sentence(
        en="A browser fetches this address ahead, unasked: nothing was started.",
        it="Un browser carica questo indirizzo in anticipo, non richiesto: nulla è stato avviato.",
    ),
    "webapi.no_token": Sentence(
        en=(
            "Every request is refused: the environment variable {variable} (api.token_variable of"
            " kimo.yaml), which holds the token, is not set. Set it where kimo serve or kimo dev"
            " starts."
        ),
        it=(
            "Ogni richiesta è rifiutata: la variabile d'ambiente {variable} (api.token_variable di"
            " kimo.yaml), che contiene il token, non è impostata. Impostarla dove parte kimo serve"
            " o kimo dev."
        ),
    ),
    "webapi.wrong_token": Sentence(
        en=(
            "This token is not the right one. Send the header `Authorization: Bearer TOKEN`, or"
            " ?token=TOKEN."
        ),
        it=(
            "Questo token non è quello giusto. Inviare l'intestazione `Authorization: Bearer"
            " TOKEN`, o ?token=TOKEN."
        ),
    ),
    "webapi.token_needed": Sentence(
        en="A token is needed. Send the header `Authorization: Bearer TOKEN`, or ?token=TOKEN.",
        it=(
            "Serve un token. Inviare l'intestazione `Authorization: Bearer TOKEN`, o ?token=TOKEN."
        ),
    ),
}

_REQUESTS = {
    "webapi.no_endpoint": Sentence(
        en="There is no such endpoint under {prefix}. There are: {names}.",
        it="Non c'è un endpoint con questo nome sotto {prefix}. Ci sono: {names}.",
    ),
    "webapi.similar_endpoint": Sentence(
        en="There is no such endpoint under {prefix}. Did you mean {names}?",
        it="Non c'è un endpoint con questo nome sotto {prefix}. Forse {names}?",
    ),
    "webapi.or": Sentence(en=" or ", it=" o "),
    "webapi.nothing_here": Sentence(
        en="There is nothing here. The endpoints are under {prefix}.",
        it="Qui non c'è nulla. Gli endpoint sono sotto {prefix}.",
    ),
    "webapi.broken": Sentence(
        en="This request broke something; the log of kimo serve says what.",
        it="Questa richiesta ha provocato un errore; il registro di kimo serve dice quale.",
    ),
    "webapi.unknown_parameter": Sentence(
        en="There is no parameter '{name}'. Known here: {known}. Nothing was started.",
        it="Non c'è un parametro '{name}'. Ammessi qui: {known}. Nulla è stato avviato.",
    ),
    "webapi.no_parameters": Sentence(
        en="There is no parameter '{name}'. {endpoint} takes none. Nothing was started.",
        it="Non c'è un parametro '{name}'. {endpoint} non ne ha. Nulla è stato avviato.",
    ),
    "webapi.tables_elsewhere": Sentence(
        en=(
            "There is no parameter 'tables'. {endpoint} takes none. ImportFromErp?tables=A,B"
            " imports named entities. Nothing was started."
        ),
        it=(
            "Non c'è un parametro 'tables'. {endpoint} non ne ha. ImportFromErp?tables=A,B importa"
            " le entità nominate. Nulla è stato avviato."
        ),
    ),
    "webapi.no_entities": Sentence(
        en=(
            "Say which entities: ImportFromErp?tables=Item,PriceList. FullImportFromErp imports"
            " all. Nothing was started."
        ),
        it=(
            "Indicare le entità: ImportFromErp?tables=Item,PriceList. FullImportFromErp le importa"
            " tutte. Nulla è stato avviato."
        ),
    ),
    "webapi.no_boolean": Sentence(
        en="{name}: expected true or false, got '{value}'. Nothing was started.",
        it="{name}: atteso true o false, ricevuto '{value}'. Nulla è stato avviato.",
    ),
    "webapi.mapping": Sentence(
        en="this mapping (kimo.yaml, entities)", it="questa mappatura (kimo.yaml, entities)"
    ),
}

_LAUNCHES = {
    "webapi.queued": Sentence(
        en="'{title}' was put into the queue as run {run_id}; follow it at {link}",
        it="'{title}' è in coda come esecuzione {run_id}; si segue a {link}",
    ),
    "webapi.queued_entities": Sentence(
        en="'{title}' of {names} was put into the queue as run {run_id}; follow it at {link}",
        it="'{title}' di {names} è in coda come esecuzione {run_id}; si segue a {link}",
    ),
    "webapi.discarded.waiting": Sentence(
        en=(
            "Discarded: '{other}' (run {run_id}) waits in the queue since {since} UTC. '{title}'"
            " was not started and does not wait; ask again when that one has ended."
        ),
        it=(
            "Scartata: '{other}' (esecuzione {run_id}) attende in coda dalle {since} UTC. '{title}'"
            " non è stato avviato e non attende; richiederlo quando l'altro è finito."
        ),
    ),
    "webapi.discarded.running": Sentence(
        en=(
            "Discarded: '{other}' (run {run_id}) is going on since {since} UTC. '{title}' was not"
            " started and does not wait; ask again when that one has ended."
        ),
        it=(
            "Scartata: '{other}' (esecuzione {run_id}) è in corso dalle {since} UTC. '{title}' non"
            " è stato avviato e non attende; richiederlo quando l'altro è finito."
        ),
    ),
    "webapi.nothing_started": Sentence(
        en="{error}. Nothing was started.", it="{error}. Nulla è stato avviato."
    ),
    "webapi.running": Sentence(
        en="Running or waiting: {names}.", it="In esecuzione o in attesa: {names}."
    ),
    "webapi.nothing_running": Sentence(
        en="Running or waiting: nothing.", it="In esecuzione o in attesa: nulla."
    ),
    "webapi.database_down": Sentence(
        en="Kimo's PostgreSQL cannot be asked: {error}",
        it="Il PostgreSQL di Kimo non risponde: {error}",
    ),
}

_WEBSERVER = {
    "webapi.webserver.not_loaded": Sentence(
        en=(
            "the webserver at {address} has loaded no code location of kimo_assets with mapped"
            " entities; look at its page Deployment"
        ),
        it=(
            "il webserver a {address} non ha caricato nessuna code location di kimo_assets con"
            " entità mappate; vedere la sua pagina Deployment"
        ),
    ),
    "webapi.webserver.several": Sentence(
        en=(
            "several companies are loaded ({names}): say in kimo.yaml, api.code_location, which is"
            " meant"
        ),
        it=("sono caricate più aziende ({names}): indicare quale in kimo.yaml, api.code_location"),
    ),
    "webapi.webserver.no_graphql": Sentence(
        en="{address} (api.graphql_url of kimo.yaml) is no GraphQL of Dagster's",
        it="{address} (api.graphql_url di kimo.yaml) non è un GraphQL di Dagster",
    ),
    "webapi.webserver.slow": Sentence(
        en=(
            "Dagster's webserver at {address} takes too long to answer. Start it (kimo dev, or its"
            " service), then ask again"
        ),
        it=(
            "Il webserver di Dagster a {address} impiega troppo a rispondere. Avviarlo (kimo dev, o"
            " il suo servizio), poi riprovare"
        ),
    ),
    "webapi.webserver.down": Sentence(
        en=(
            "Dagster's webserver at {address} does not answer. Start it (kimo dev, or its service),"
            " then ask again"
        ),
        it=(
            "Il webserver di Dagster a {address} non risponde. Avviarlo (kimo dev, o il suo"
            " servizio), poi riprovare"
        ),
    ),
    "webapi.webserver.not_understood": Sentence(
        en="Dagster's webserver at {address} does not understand: {complaint}",
        it="Il webserver di Dagster a {address} non capisce: {complaint}",
    ),
    "webapi.webserver.refuses": Sentence(
        en="Dagster's webserver refuses: {complaint}",
        it="Il webserver di Dagster rifiuta: {complaint}",
    ),
    "webapi.webserver.foreign_answer": Sentence(
        en="an answer that is none of GraphQL's", it="una risposta che non è di GraphQL"
    ),
    "webapi.webserver.other_form": Sentence(
        en="an answer of another form than expected", it="una risposta di forma inattesa"
    ),
}

SENTENCES = _ACCESS | _REQUESTS | _LAUNCHES | _WEBSERVER
