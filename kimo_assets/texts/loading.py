"""Sentences of step 2: the guards, the ERP's answers to exports, and undo.

Guards stop a load, so their sentences say what to do. Answers are about single records: the
problem stands behind the record's name.
"""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "loading.never_staged": Sentence(
        en="{entity} has never been staged: run step 1 for it first",
        it="{entity} non è mai stata importata in KimoIntegrator: eseguire prima lo step 1",
    ),
    # --- guards
    "loading.guard.stop": Sentence(
        en=(
            "{reason} Yesterday's data stay. If it is right so, run again with --allow-shrink, or"
            " apply a plan."
        ),
        it=(
            "{reason} Restano i dati di ieri. Se è corretto così, eseguire di nuovo con"
            " --allow-shrink, oppure applicare un'anteprima."
        ),
    ),
    "loading.guard.archived": Sentence(
        en=(
            "{archived:,} of {live:,} rows would be archived ({share:.0%}, allowed are"
            " {allowed:.0%})."
        ),
        it=(
            "Verrebbero archiviate {archived:,} righe su {live:,} ({share:.0%}, è consentito il"
            " {allowed:.0%})."
        ),
    ),
    "loading.guard.agent": Sentence(
        en="agent {agent} {before:,} -> {after:,}", it="agente {agent} {before:,} -> {after:,}"
    ),
    "loading.guard.more_agents": Sentence(
        en="{agents} and {count} more agents",
        it="{agents} e altri {count} agenti",
        one_en="{agents} and one more agent",
        one_it="{agents} e un altro agente",
    ),
    "loading.guard.agents_emptied": Sentence(
        en="Agents would lose more than {share:.0%} of their {entity} rows: {agents}.",
        it="Alcuni agenti perderebbero più del {share:.0%} delle loro righe {entity}: {agents}.",
    ),
    # --- the ERP's answers: problems of single records
    "loading.answer.refused": Sentence(
        en=(
            "the ERP has elaborated it on {moment} without giving it an Id: it refused the record."
            " Amend it in Kimo, and it goes out again."
        ),
        it=(
            "l'ERP lo ha elaborato il {moment} senza assegnargli un Id: ha rifiutato il record."
            " Correggerlo in Kimo, e partirà di nuovo."
        ),
    ),
    "loading.answer.ambiguous": Sentence(
        en=(
            "the ERP gives several answers at one time to this SyncReference. The record stays as"
            " it is until the ERP keeps one of them."
        ),
        it=(
            "l'ERP dà più risposte nello stesso istante a questo SyncReference. Il record resta"
            " com'è finché l'ERP non ne tiene una sola."
        ),
    ),
    "loading.answer.double": Sentence(
        en=(
            "several records of Kimo have the SyncReference {reference}, so the ERP's answer could"
            " mean any of them. None is bound."
        ),
        it=(
            "più record di Kimo hanno il SyncReference {reference}, quindi la risposta dell'ERP"
            " potrebbe riguardarne uno qualsiasi. Nessuno viene collegato."
        ),
    ),
    "loading.answer.rebound": Sentence(
        en=(
            "the ERP now gives it the Id {id}, but it has {before} already. It keeps {before}:"
            " correct the answer in the ERP."
        ),
        it=(
            "ora l'ERP gli assegna l'Id {id}, ma ha già {before}. Mantiene {before}: correggere la"
            " risposta nell'ERP."
        ),
    ),
    "loading.answer.taken": Sentence(
        en=(
            "the ERP gives it the Id {id}, which another record of Kimo has already. It keeps its"
            " own: correct the answer in the ERP."
        ),
        it=(
            "l'ERP gli assegna l'Id {id}, che un altro record di Kimo ha già. Mantiene il proprio:"
            " correggere la risposta nell'ERP."
        ),
    ),
    "loading.answer.unknown": Sentence(
        en="the ERP answers to SyncReference {reference}, which no record of Kimo has.",
        it="l'ERP risponde al SyncReference {reference}, che nessun record di Kimo ha.",
    ),
    # --- the ERP's answers: lines for the operator
    "loading.answer.record_of_agent": Sentence(
        en="{record} (agent {agent})", it="{record} (agente {agent})"
    ),
    "loading.answer.refused_note": Sentence(
        en=(
            "The ERP refused {record}: amend it in Kimo. `kimo export status {reference}` shows"
            " more."
        ),
        it=(
            "L'ERP ha rifiutato {record}: correggerlo in Kimo. `kimo export status {reference}`"
            " mostra i dettagli."
        ),
    ),
    "loading.answer.more": Sentence(
        en="{count:,} more answers of the ERP to {entity} like these ({kind}).",
        it="Altre {count:,} risposte dell'ERP a {entity} come queste ({kind}).",
        one_en="One more answer of the ERP to {entity} like these ({kind}).",
        one_it="Un'altra risposta dell'ERP a {entity} come queste ({kind}).",
    ),
    "loading.answer.repointed": Sentence(
        en=(
            "{count:,} references to {entity} had an Id from before the ERP's answer. They now have"
            " the ERP's Id."
        ),
        it=(
            "{count:,} riferimenti a {entity} avevano un Id precedente alla risposta dell'ERP. Ora"
            " hanno l'Id dell'ERP."
        ),
        one_en=(
            "One reference to {entity} had an Id from before the ERP's answer. It now has the ERP's"
            " Id."
        ),
        one_it=(
            "Un riferimento a {entity} aveva un Id precedente alla risposta dell'ERP. Ora ha l'Id"
            " dell'ERP."
        ),
    ),
    "loading.answer.failed": Sentence(
        en=(
            "the ERP's answers to {entity} could not be applied, the next load tries again:"
            " {reason}"
        ),
        it=(
            "non è stato possibile applicare le risposte dell'ERP a {entity}, il prossimo"
            " caricamento riprova: {reason}"
        ),
    ),
    # --- undo
    "loading.undo.nothing": Sentence(
        en="there is no load to take back: {reason}",
        it="non c'è alcun caricamento da annullare: {reason}",
    ),
    "loading.undo.nothing_kept": Sentence(
        en="nothing was changed yet, or `history.keep_loads` in kimo.yaml keeps none",
        it=(
            "non è ancora cambiato nulla, oppure `history.keep_loads` di kimo.yaml non ne conserva"
            " alcuno"
        ),
    ),
    "loading.undo.not_kept": Sentence(
        en=(
            "the state after load {target} is no longer kept. The oldest state is the one after"
            " load {oldest}. {reason}"
        ),
        it=(
            "lo stato dopo il caricamento {target} non è più conservato. Lo stato più vecchio è"
            " quello dopo il caricamento {oldest}. {reason}"
        ),
    ),
    "loading.undo.age": Sentence(
        en="`history.keep_loads` in kimo.yaml says how many loads are kept.",
        it="`history.keep_loads` di kimo.yaml indica quanti caricamenti si conservano.",
    ),
    "loading.undo.no_load": Sentence(
        en=("there is no load {target}: the last one was {last}. `kimo undo --list` shows them."),
        it=("non c'è alcun caricamento {target}: l'ultimo è {last}. `kimo undo --list` li elenca."),
    ),
    "loading.undo.bound": Sentence(
        en=(
            "Load {load} gave records of Kimo the Ids by which the ERP knows them, wherever they"
            " are named: that cannot be taken back."
        ),
        it=(
            "Il caricamento {load} ha dato a record di Kimo gli Id con cui li conosce l'ERP,"
            " ovunque siano indicati: questo non si può annullare."
        ),
    ),
}
