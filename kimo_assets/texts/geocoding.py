"""Sentences of geocoding: what Google answered, and which addresses to correct."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- addresses that cannot be asked
    "geocoding.no_address": Sentence(
        en="There is no address: street, town and post code are empty. Fill them in.",
        it="Manca l'indirizzo: via, località e CAP sono vuoti. Compilarli.",
    ),
    "geocoding.no_town": Sentence(
        en="Neither a town nor a post code, only '{written}': fill in one of them.",
        it="Né località né CAP, solo '{written}': compilarne uno.",
    ),
    # --- addresses to correct
    "geocoding.whose_and_more": Sentence(
        en="{names} and {count} more", it="{names} e altri {count}"
    ),
    "geocoding.invalid_request": Sentence(
        en="Google cannot read this as an address (INVALID_REQUEST): correct it.",
        it="Google non lo riconosce come indirizzo (INVALID_REQUEST): correggerlo.",
    ),
    "geocoding.zero_results": Sentence(
        en=(
            "Google knows no such address (ZERO_RESULTS): correct the street, the town or the post"
            " code."
        ),
        it=(
            "Google non conosce questo indirizzo (ZERO_RESULTS): correggere la via, la località o"
            " il CAP."
        ),
    ),
    "geocoding.approximate": Sentence(
        en="Google knows only the area: {address} (APPROXIMATE). Fill in or correct the street.",
        it="Google conosce solo la zona: {address} (APPROXIMATE). Compilare o correggere la via.",
    ),
    "geocoding.partial": Sentence(
        en="Google found something similar only: {address} (partial match). Correct what differs.",
        it="Google ha trovato solo qualcosa di simile: {address}. Correggere ciò che differisce.",
    ),
    "geocoding.geometric_center": Sentence(
        en=(
            "Only the middle of the street or place: {address} (GEOMETRIC_CENTER). Fill in the"
            " house number."
        ),
        it=(
            "Solo il centro della via o del luogo: {address} (GEOMETRIC_CENTER). Compilare il"
            " numero civico."
        ),
    ),
    # --- a run
    "geocoding.no_key": Sentence(
        en=(
            "No key is configured, so nothing was asked: put a key of Google's Geocoding API into"
            " the variable {variable} of the environment that runs kimo."
        ),
        it=(
            "Nessuna chiave configurata, quindi nessuna richiesta: mettere una chiave della"
            " Geocoding API di Google nella variabile {variable} dell'ambiente che esegue kimo."
        ),
    ),
    "geocoding.not_a_key": Sentence(
        en=(
            "The key in the variable {variable} is no key of Google Maps: these begin with"
            " {beginning}. Copy it from the Google Cloud console (APIs & Services, Credentials)."
        ),
        it=(
            "La chiave nella variabile {variable} non è una chiave di Google Maps: queste iniziano"
            " con {beginning}. Copiarla dalla console di Google Cloud (API e servizi, Credenziali)."
        ),
    ),
    "geocoding.no_answers": Sentence(
        en=(
            "{server}: {count} addresses in a row got no answer; the last one: {reason}. See"
            " whether this machine reaches the server, and run again. {kept}"
        ),
        it=(
            "{server}: {count} indirizzi di fila senza risposta; l'ultimo: {reason}. Verificare che"
            " questa macchina raggiunga il server, poi ripetere. {kept}"
        ),
    ),
    "geocoding.stopped": Sentence(en="{reason} {kept}", it="{reason} {kept}"),
    "geocoding.nothing_answered": Sentence(
        en="Nothing was answered in this run.", it="In questa esecuzione nessuna risposta."
    ),
    "geocoding.answers_kept": Sentence(
        en="What was answered in this run ({count:,}) is kept.",
        it="Le risposte di questa esecuzione ({count:,}) sono conservate.",
    ),
    "geocoding.budget_used_up": Sentence(
        en=(
            "The day's budget of {budget:,} calls is used up; the next run goes on, from midnight"
            " in California (geocoding: daily_budget)."
        ),
        it=(
            "Le {budget:,} chiamate previste per oggi sono esaurite; la prossima esecuzione"
            " riprende, dalla mezzanotte della California (geocoding: daily_budget)."
        ),
    ),
    "geocoding.still_too_fast": Sentence(
        en="{reason}, after minutes of waiting too: the next run goes on from here.",
        it="{reason}, anche dopo minuti di attesa: la prossima esecuzione riprende da qui.",
    ),
    "geocoding.tried_again_later": Sentence(
        en="{reason}. The next run tries again.", it="{reason}. La prossima esecuzione riprova."
    ),
    "geocoding.waiting": Sentence(
        en="{count:,} addresses wait for an answer.",
        it="{count:,} indirizzi attendono una risposta.",
        one_en="{count:,} address waits for an answer.",
        one_it="{count:,} indirizzo attende una risposta.",
    ),
    # --- one call
    "geocoding.slower": Sentence(
        en="Google asks for a slower pace: next call in {seconds:.0f} s.",
        it="Google chiede un ritmo più lento: prossima chiamata tra {seconds:.0f} s.",
    ),
    "geocoding.no_answer_within": Sentence(
        en="no answer within {seconds:g} s", it="nessuna risposta entro {seconds:g} s"
    ),
    "geocoding.http_status": Sentence(
        en="the server answered with the HTTP status {status}",
        it="il server ha risposto con lo stato HTTP {status}",
    ),
    "geocoding.wrong_format": Sentence(
        en="the server's answer is not in the format of Google's Geocoding API",
        it="la risposta del server non è nel formato della Geocoding API di Google",
    ),
    "geocoding.certificate": Sentence(
        en="the server's certificate is not to be trusted",
        it="il certificato del server non è attendibile",
    ),
    "geocoding.proxy": Sentence(
        en="the proxy does not let the call through", it="il proxy non lascia passare la chiamata"
    ),
    "geocoding.unreachable": Sentence(
        en="the server cannot be reached, or the connection was cut",
        it="il server non è raggiungibile, o la connessione è stata interrotta",
    ),
    "geocoding.too_many_calls": Sentence(
        en="Google finds the calls too many (OVER_QUERY_LIMIT){message}",
        it="Per Google le chiamate sono troppe (OVER_QUERY_LIMIT){message}",
    ),
    "geocoding.over_daily_limit": Sentence(
        en=(
            "Google answers no more today ({status}){message}. See in the Google Cloud console"
            " whether the project has a billing account with a valid means of payment, and what its"
            " daily quota of the Geocoding API is. Then run again."
        ),
        it=(
            "Per oggi Google non risponde più ({status}){message}. Verificare nella console di"
            " Google Cloud che il progetto abbia un account di fatturazione con un mezzo di"
            " pagamento valido, e quale sia la quota giornaliera della Geocoding API. Poi ripetere."
        ),
    ),
    "geocoding.denied": Sentence(
        en=(
            "Google refuses the key (REQUEST_DENIED){message}. In the Google Cloud console: is it"
            " the key that the variable {variable} holds, is the Geocoding API enabled for its"
            " project, is billing on, and do the key's restrictions allow this API and this"
            " server's address?"
        ),
        it=(
            "Google rifiuta la chiave (REQUEST_DENIED){message}. Nella console di Google Cloud: è"
            " la chiave che si trova nella variabile {variable}, la Geocoding API è abilitata per"
            " il suo progetto, la fatturazione è attiva, e le restrizioni della chiave ammettono"
            " questa API e l'indirizzo di questo server?"
        ),
    ),
    "geocoding.other_status": Sentence(
        en="Google could not answer ({status}){message}",
        it="Google non ha potuto rispondere ({status}){message}",
    ),
    # --- the picture
    "geocoding.positions": Sentence(
        en="{count:,} positions",
        it="{count:,} posizioni",
        one_en="{count:,} position",
        one_it="{count:,} posizione",
    ),
    "geocoding.larger_dots": Sentence(
        en="Larger dots: 4, 16, 64 or more.", it="Punti più grandi: 4, 16, 64 o più."
    ),
}
