"""Sentences of the pipeline: plans, side jobs."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "pipeline.plan.incomplete": Sentence(
        en="a plan that lacks entities is not saved: {entity}: {reason}",
        it="un piano a cui mancano entità non viene salvato: {entity}: {reason}",
    ),
    "pipeline.plan.not_json": Sentence(
        en="{file} is no plan: not JSON ({error}). `kimo plan --save FILE` writes one.",
        it="{file} non è un piano: non è JSON ({error}). `kimo plan --save FILE` ne scrive uno.",
    ),
    "pipeline.plan.not_a_plan": Sentence(
        en="{file} is no saved plan. `kimo plan --save FILE` writes one.",
        it="{file} non è un piano salvato. `kimo plan --save FILE` ne scrive uno.",
    ),
    "pipeline.plan.other_version": Sentence(
        en="{file} is a plan of version {version}, this is {expected}. Plan again.",
        it="{file} è un piano della versione {version}, questa è la {expected}. Rifare il piano.",
    ),
    "pipeline.plan.not_kept": Sentence(
        en=(
            "the snapshots of this plan are no longer kept: a newer plan was made, or this is"
            " another database. Plan again."
        ),
        it=(
            "gli snapshot di questo piano non sono più conservati: è stato fatto un piano più"
            " recente, o il database è un altro. Rifare il piano."
        ),
    ),
    "pipeline.plan.applied_already": Sentence(
        en="this plan was applied already, by load {load}. Plan again.",
        it="questo piano è già stato applicato, dal caricamento {load}. Rifare il piano.",
    ),
    "pipeline.plan.no_longer_fits": Sentence(
        en=(
            "the plan of {made_at:%Y-%m-%d %H:%M} UTC no longer fits: {changes}. Nothing was"
            " changed. Plan again."
        ),
        it=(
            "il piano del {made_at:%d/%m/%Y %H:%M} UTC non vale più: {changes}. Non è stato"
            " cambiato nulla. Rifare il piano."
        ),
    ),
    "pipeline.plan.changed": Sentence(
        en="{entity} was changed",
        it="{entity} è cambiata",
    ),
    "pipeline.plan.changed_by_load": Sentence(
        en="{entity} was changed by load {load} ({title}, {at} UTC)",
        it="{entity} è stata cambiata dal caricamento {load} ({title}, {at} UTC)",
    ),
    "pipeline.plan.read_again": Sentence(
        en="{entity} was read from the ERP again, with another content",
        it="{entity} è stata riletta dall'ERP, con un altro contenuto",
    ),
    "pipeline.taken_over_later": Sentence(
        en="The next step 3 takes it over: {reason}.",
        it="Lo riprende il prossimo step 3: {reason}.",
    ),
    "pipeline.nobody_gets_the_report": Sentence(
        en="nobody is named in `notifications:` of kimo.yaml to get it",
        it="in `notifications:` di kimo.yaml non è indicato nessun destinatario",
    ),
}
