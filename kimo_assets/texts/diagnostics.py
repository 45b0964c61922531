"""Sentences of diagnostics/: what the preflight, the status and the reports say."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    # --- why an agent sees a row
    "diagnostics.visibility.archived": Sentence(
        en="nobody sees it: load {load} archived it, because the ERP no longer sent it",
        it="nessuno la vede: il caricamento {load} l'ha archiviata, perché l'ERP non la invia più",
    ),
    "diagnostics.visibility.agent_sees": Sentence(en="the agent sees it", it="l'agente la vede"),
    "diagnostics.visibility.agent_does_not_see": Sentence(
        en="the agent does not see it", it="l'agente non la vede"
    ),
    "diagnostics.visibility.user_sees": Sentence(en="the user sees it", it="l'utente la vede"),
    "diagnostics.visibility.user_does_not_see": Sentence(
        en="the user does not see it", it="l'utente non la vede"
    ),
    "diagnostics.visibility.rejected": Sentence(
        en=(
            "it is not in Kimo: step {step} rejected it ({rule}, {field}); `kimo rejected {entity}`"
            " shows it"
        ),
        it=(
            "non è in Kimo: lo step {step} l'ha scartata ({rule}, {field}); `kimo rejected"
            " {entity}` la mostra"
        ),
    ),
    "diagnostics.visibility.never_sent": Sentence(
        en=(
            "there is no such row in Kimo: the ERP has never sent one with this Id, or its entity"
            " was never imported"
        ),
        it=(
            "questa riga non è in Kimo: l'ERP non ne ha mai inviata una con questo Id, oppure la"
            " sua entità non è mai stata importata"
        ),
    ),
    "diagnostics.visibility.no_agent": Sentence(
        en="'{agent}' is no agent here.{hint} Agents are the live rows of SalesAgent.",
        it="'{agent}' non è un agente.{hint} Gli agenti sono le righe attive di SalesAgent.",
    ),
    "diagnostics.visibility.no_user": Sentence(
        en=(
            "agent '{agent}' has no user '{user}'.{hint} `kimo settings show User` lists the users."
            " Archived ones, and those of another type than SalesAgent, have no tablet."
        ),
        it=(
            "l'agente '{agent}' non ha un utente '{user}'.{hint} `kimo settings show User` elenca"
            " gli utenti. Quelli archiviati, e quelli di un tipo diverso da SalesAgent, non hanno"
            " un tablet."
        ),
    ),
    # --- the morning report
    "diagnostics.batch": Sentence(en="batch {batch}", it="lotto {batch}"),
    "diagnostics.batch_in_doubt": Sentence(
        en="it may have arrived at the ERP or not",
        it="può essere arrivato all'ERP oppure no",
    ),
    "diagnostics.rejected_by_the_erp": Sentence(
        en="the ERP has rejected it", it="l'ERP lo ha rifiutato"
    ),
}
