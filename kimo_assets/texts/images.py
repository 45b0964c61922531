"""Sentences of pictures: names, files, URLs, servers, decoding, the public folder, the audit."""

from kimo_assets.texts.catalogue import Sentence

SENTENCES = {
    "images.and_more": Sentence(en="{names} and {count:,} more", it="{names} e altri {count:,}"),
    # --- what rows name
    "images.name.no_file": Sentence(en="it names no file", it="non indica alcun file"),
    "images.name.control_characters": Sentence(
        en="it holds control characters, which no file's name has",
        it="contiene caratteri di controllo, che nessun nome di file ha",
    ),
    "images.name.url": Sentence(
        en="this is a URL; pictures from URLs belong into ItemUrl",
        it="questo è un URL; le immagini da URL vanno in ItemUrl",
    ),
    "images.name.absolute": Sentence(
        en=(
            "this is an absolute path, outside the folder; expected one that counts from the"
            " source folder. Take the rest off in kimo.yaml: `transform: {{FilePath: {{replace:"
            " {{'{folder}\\': ''}}}}}}`"
        ),
        it=(
            "questo è un percorso assoluto, fuori dalla cartella; atteso un percorso che parta"
            " dalla cartella di origine. Togliere il resto in kimo.yaml: `transform: {{FilePath:"
            " {{replace: {{'{folder}\\': ''}}}}}}`"
        ),
    ),
    "images.name.leads_up": Sentence(
        en=(
            "its '..' leads outside the folder; expected a path that counts from the source folder"
        ),
        it=(
            "il suo '..' porta fuori dalla cartella; atteso un percorso che parta dalla cartella"
            " di origine"
        ),
    ),
    "images.name.link_out": Sentence(
        en="'{link}' is a link that leads outside the folder; put the file itself there",
        it="'{link}' è un collegamento che porta fuori dalla cartella; metterci il file stesso",
    ),
    "images.name.folder_unreadable": Sentence(
        en="the folder '{folder}' cannot be read: {reason}",
        it="la cartella '{folder}' non è leggibile: {reason}",
    ),
    "images.name.missing": Sentence(
        en="there is no such file in {folder}", it="il file non esiste in {folder}"
    ),
    "images.name.missing_but": Sentence(
        en="there is no such file in {folder}, but there is {files}",
        it="il file non esiste in {folder}, ma c'è {files}",
    ),
    "images.name.others_fit": Sentence(
        en="{files} would fit as well; '{taken}' was taken. Keep one of them",
        it="anche {files} corrisponde; è stato preso '{taken}'. Tenerne uno solo",
    ),
    # --- the source folders
    "images.setting.entity": Sentence(
        en="`images: sources: {entity}:` in kimo.yaml",
        it="`images: sources: {entity}:` in kimo.yaml",
    ),
    "images.setting.general": Sentence(
        en="`images: source:` in kimo.yaml", it="`images: source:` in kimo.yaml"
    ),
    "images.setting.console": Sentence(
        en="the server setting {key} (or `images: source:` in kimo.yaml)",
        it="l'impostazione del server {key} (o `images: source:` in kimo.yaml)",
    ),
    "images.setting.console_promotions": Sentence(
        en="the server setting {promotions_key} or {key} (or `images: source:` in kimo.yaml)",
        it=(
            "l'impostazione del server {promotions_key} o {key} (o `images: source:` in kimo.yaml)"
        ),
    ),
    "images.setting.not_pixels": Sentence(
        en=(
            "the server setting {key} is '{value}'; expected a number of pixels. Correct it in the"
            " settings file (`kimo settings load`), or set it under `images:` in kimo.yaml"
        ),
        it=(
            "l'impostazione del server {key} è '{value}'; atteso un numero di pixel. Correggerla"
            " nel file delle impostazioni (`kimo settings load`), o indicarla sotto `images:` in"
            " kimo.yaml"
        ),
    ),
    "images.source.not_listed": Sentence(
        en=(
            "The pictures' folder {folder} cannot be listed: {reason}. Nothing was changed. Repair"
            " the folder or its rights, or {setting}, and start again."
        ),
        it=(
            "La cartella delle immagini {folder} non può essere elencata: {reason}. Nulla è stato"
            " modificato. Sistemare la cartella o i suoi permessi, oppure {setting}, e ripetere."
        ),
    ),
    "images.source.no_such_folder": Sentence(
        en="there is no such folder", it="la cartella non esiste"
    ),
    "images.source.empty": Sentence(
        en=(
            "The pictures' folder {folder} is empty, although pictures came from it before"
            " ({pictures:,}). Nothing was changed. Is its drive mounted? If it is meant to be"
            " empty, put any file there."
        ),
        it=(
            "La cartella delle immagini {folder} è vuota, benché in passato ne siano arrivate"
            " immagini ({pictures:,}). Nulla è stato modificato. L'unità è montata? Se deve essere"
            " vuota, metterci un file qualsiasi."
        ),
    ),
    "images.source.unnameable": Sentence(
        en=(
            "{folder}: {count:,} files have names that are not UTF-8, so no row can name them;"
            " rename them."
        ),
        it=(
            "{folder}: {count:,} file hanno nomi non in UTF-8, quindi nessuna riga può indicarli;"
            " rinominarli."
        ),
        one_en=(
            "{folder}: {count:,} file has a name that is not UTF-8, so no row can name it; rename"
            " it."
        ),
        one_it=(
            "{folder}: {count:,} file ha un nome non in UTF-8, quindi nessuna riga può indicarlo;"
            " rinominarlo."
        ),
    ),
    "images.source.unreadable": Sentence(
        en=(
            "{folder}: the folder '{subfolder}' cannot be read ({reason}); its pictures stay as"
            " they were."
        ),
        it=(
            "{folder}: la cartella '{subfolder}' non è leggibile ({reason}); le sue immagini"
            " restano com'erano."
        ),
    ),
    "images.source.no_folder": Sentence(
        en="no folder is named for their files; name it under `images: source:` in kimo.yaml",
        it=(
            "nessuna cartella è indicata per i loro file; indicarla sotto `images: source:` in"
            " kimo.yaml"
        ),
    ),
    "images.source.rows": Sentence(
        en="{entity}: {count:,} rows",
        it="{entity}: {count:,} righe",
        one_en="{entity}: {count:,} row",
        one_it="{entity}: {count:,} riga",
    ),
    # --- the public folder
    "images.public.unusable": Sentence(
        en=(
            "The public folder {folder} cannot be used: {reason}. Repair it or its rights, or name"
            " another one under `images: public:` in kimo.yaml."
        ),
        it=(
            "La cartella pubblica {folder} non è utilizzabile: {reason}. Sistemare la cartella o i"
            " suoi permessi, o indicarne un'altra sotto `images: public:` in kimo.yaml."
        ),
    ),
    "images.public.unwritable": Sentence(
        en=(
            "The public folder cannot be written: {reason}. What was made before is kept. Repair"
            " the folder, its rights or the disk (`images: public:` in kimo.yaml), and start"
            " again."
        ),
        it=(
            "Non si può scrivere nella cartella pubblica: {reason}. Le immagini già preparate sono"
            " conservate. Sistemare la cartella, i permessi o il disco (`images: public:` in"
            " kimo.yaml), e ripetere."
        ),
    ),
    "images.public.link_out": Sentence(
        en="a link that leads outside the public folder",
        it="un collegamento che porta fuori dalla cartella pubblica",
    ),
    # --- one picture
    "images.picture.link_out": Sentence(
        en="it is a link that leads outside the folder",
        it="è un collegamento che porta fuori dalla cartella",
    ),
    "images.picture.unreadable": Sentence(
        en="it cannot be read: {reason}", it="non è leggibile: {reason}"
    ),
    "images.picture.empty": Sentence(en="the file is empty", it="il file è vuoto"),
    "images.picture.large_file": Sentence(
        en="the file has {size} MB; at most {limit} MB are read (`images: max_file_mb:`)",
        it="il file ha {size} MB; se ne leggono al massimo {limit} (`images: max_file_mb:`)",
    ),
    "images.picture.large": Sentence(
        en=(
            "the picture has {width} x {height} pixels, {megapixels} megapixels; at most {limit}"
            " are decoded (`images: max_megapixels:`)"
        ),
        it=(
            "l'immagine ha {width} x {height} pixel, {megapixels} megapixel; se ne decodificano al"
            " massimo {limit} (`images: max_megapixels:`)"
        ),
    ),
    "images.picture.other_content": Sentence(
        en=(
            "this is {content}, not a picture that can be read (expected JPEG, PNG, WebP, GIF,"
            " TIFF or BMP)"
        ),
        it=(
            "questo è {content}, non un'immagine leggibile (atteso JPEG, PNG, WebP, GIF, TIFF o"
            " BMP)"
        ),
    ),
    "images.picture.no_picture": Sentence(
        en=("this is no picture that can be read (expected JPEG, PNG, WebP, GIF, TIFF or BMP)"),
        it="questa non è un'immagine leggibile (atteso JPEG, PNG, WebP, GIF, TIFF o BMP)",
    ),
    "images.picture.no_memory": Sentence(
        en="there is not enough memory to decode the picture",
        it="la memoria non basta per decodificare l'immagine",
    ),
    "images.picture.damaged": Sentence(
        en="the {kind} is damaged or cut off: {message}",
        it="il {kind} è danneggiato o troncato: {message}",
    ),
    "images.content.heic": Sentence(en="a HEIC or AVIF picture", it="un'immagine HEIC o AVIF"),
    "images.content.pdf": Sentence(en="a PDF document", it="un documento PDF"),
    "images.content.icon": Sentence(en="an icon", it="un'icona"),
    "images.content.photoshop": Sentence(en="a Photoshop file", it="un file di Photoshop"),
    "images.content.zip": Sentence(en="a ZIP archive", it="un archivio ZIP"),
    "images.content.svg": Sentence(en="an SVG drawing", it="un disegno SVG"),
    "images.content.html": Sentence(
        en="a web page or other text", it="una pagina web o altro testo"
    ),
    "images.content.text": Sentence(en="text", it="testo"),
    # --- the worker processes
    "images.worker.not_started": Sentence(
        en="The process that makes pictures could not start: {reason}",
        it="Il processo che prepara le immagini non è partito: {reason}",
    ),
    "images.worker.killed": Sentence(
        en=(
            "the process that decoded it was killed, most likely because memory ran out; it is"
            " tried again next time"
        ),
        it=(
            "il processo che la decodificava è stato terminato, molto probabilmente per memoria"
            " esaurita; si riprova la prossima volta"
        ),
    ),
    "images.worker.ended_by_signal": Sentence(
        en=(
            "the process that decoded it ended by signal {signal}{details}; it is tried again next"
            " time"
        ),
        it=(
            "il processo che la decodificava è terminato per il segnale {signal}{details}; si"
            " riprova la prossima volta"
        ),
    ),
    "images.worker.ended_with_code": Sentence(
        en=(
            "the process that decoded it ended with code {code}{details}; it is tried again next"
            " time"
        ),
        it=(
            "il processo che la decodificava è terminato con il codice {code}{details}; si"
            " riprova la prossima volta"
        ),
    ),
    "images.worker.stopped": Sentence(
        en="stopped before it was made", it="interrotto prima che fosse preparata"
    ),
    # --- URLs
    "images.url.invalid": Sentence(
        en="this is no URL: expected https://host/path. Correct it in the ERP",
        it="questo non è un URL: atteso https://host/percorso. Correggerlo nell'ERP",
    ),
    "images.url.scheme": Sentence(
        en=("'{scheme}:' is not asked: expected https:// or http://. Correct the URL in the ERP"),
        it="'{scheme}:' non è ammesso: atteso https:// o http://. Correggere l'URL nell'ERP",
    ),
    "images.url.no_scheme": Sentence(
        en=(
            "without http:// or https:// it is not asked: expected https:// or http://. Correct"
            " the URL in the ERP"
        ),
        it=(
            "senza http:// o https:// non è ammesso: atteso https:// o http://. Correggere l'URL"
            " nell'ERP"
        ),
    ),
    "images.url.credentials": Sentence(
        en=(
            "the URL holds a user name or a password, which every reader of the ERP sees: take it"
            " out of the URL there, and let the server give the picture without it"
        ),
        it=(
            "l'URL contiene un nome utente o una password, visibile a chiunque legga l'ERP:"
            " toglierla dall'URL, e fare in modo che il server dia l'immagine senza"
        ),
    ),
    "images.url.private": Sentence(
        en=(
            "{name} is {kind}, so it is not asked. If this server is yours, add {entry} to images:"
            " download: allowed_hosts: in kimo.yaml"
        ),
        it=(
            "{name} è {kind}, quindi non si interroga. Se il server è vostro, aggiungere {entry} a"
            " images: download: allowed_hosts: in kimo.yaml"
        ),
    ),
    "images.url.private_address": Sentence(
        en=(
            "{name} is {kind} ({address}), so it is not asked. If this server is yours, add"
            " {entry} to images: download: allowed_hosts: in kimo.yaml"
        ),
        it=(
            "{name} è {kind} ({address}), quindi non si interroga. Se il server è vostro,"
            " aggiungere {entry} a images: download: allowed_hosts: in kimo.yaml"
        ),
    ),
    "images.address.shared": Sentence(
        en="a shared address of a provider's network",
        it="un indirizzo condiviso della rete di un provider",
    ),
    "images.address.relay": Sentence(
        en="an address of a retired relay service",
        it="un indirizzo di un servizio di inoltro dismesso",
    ),
    "images.address.protocols": Sentence(
        en="an address reserved for protocols", it="un indirizzo riservato ai protocolli"
    ),
    "images.address.site_local": Sentence(en="a site-local address", it="un indirizzo site-local"),
    "images.address.documentation": Sentence(
        en="an address for documentation", it="un indirizzo per la documentazione"
    ),
    "images.address.unspecified": Sentence(
        en="an unspecified address", it="un indirizzo non specificato"
    ),
    "images.address.loopback": Sentence(en="a loopback address", it="un indirizzo di loopback"),
    "images.address.link_local": Sentence(en="a link-local address", it="un indirizzo link-local"),
    "images.address.multicast": Sentence(en="a multicast address", it="un indirizzo multicast"),
    "images.address.private": Sentence(en="a private address", it="un indirizzo privato"),
    "images.address.reserved": Sentence(en="a reserved address", it="un indirizzo riservato"),
    # --- answers of servers
    "images.fetch.stopped": Sentence(
        en="stopped before it was fetched", it="interrotto prima che fosse scaricata"
    ),
    "images.fetch.too_slow": Sentence(
        en=(
            "the server took longer than {seconds:g} seconds ({received:,} bytes had come). If it"
            " is that slow, raise images: download: timeout_s: in kimo.yaml"
        ),
        it=(
            "il server ha impiegato più di {seconds:g} secondi ({received:,} byte ricevuti). Se è"
            " così lento, aumentare images: download: timeout_s: in kimo.yaml"
        ),
    ),
    "images.fetch.too_large": Sentence(
        en=(
            "the picture has {size:,} bytes; more than {limit:,} bytes are not fetched. Make the"
            " picture smaller, or raise images: max_file_mb: in kimo.yaml"
        ),
        it=(
            "l'immagine ha {size:,} byte; oltre {limit:,} byte non si scarica. Ridurre l'immagine,"
            " o aumentare images: max_file_mb: in kimo.yaml"
        ),
    ),
    "images.fetch.endless": Sentence(
        en=(
            "the server does not stop sending; more than {limit:,} bytes are not fetched. Make the"
            " picture smaller, or raise images: max_file_mb: in kimo.yaml"
        ),
        it=(
            "il server non smette di inviare; oltre {limit:,} byte non si scarica. Ridurre"
            " l'immagine, o aumentare images: max_file_mb: in kimo.yaml"
        ),
    ),
    "images.fetch.packed_repeatedly": Sentence(
        en="the server has packed the picture several times over; expected it as it is",
        it="il server ha compresso l'immagine più volte; attesa così com'è",
    ),
    "images.fetch.does_not_unpack": Sentence(
        en="the server says that the picture is packed, but it does not unpack",
        it="il server dichiara l'immagine compressa, ma non si decomprime",
    ),
    "images.fetch.broken_off": Sentence(
        en=(
            "the server broke off before the whole picture was there ({received:,} bytes had"
            " come). Try later"
        ),
        it=(
            "il server ha interrotto prima che l'immagine fosse completa ({received:,} byte"
            " ricevuti). Riprovare più tardi"
        ),
    ),
    "images.fetch.circle": Sentence(
        en="the server redirects in a circle, back to {url}. Correct the URL in the ERP",
        it="il server reindirizza in circolo, di nuovo a {url}. Correggere l'URL nell'ERP",
    ),
    "images.fetch.too_many_redirects": Sentence(
        en=(
            "the server redirects more than {limit} times, at last to {url}. Correct the URL in"
            " the ERP, or raise images: download: max_redirects: in kimo.yaml"
        ),
        it=(
            "il server reindirizza più di {limit} volte, infine a {url}. Correggere l'URL"
            " nell'ERP, o aumentare images: download: max_redirects: in kimo.yaml"
        ),
    ),
    "images.fetch.redirect_invalid": Sentence(
        en="the server redirects to what is no URL. Correct the URL in the ERP",
        it="il server reindirizza a ciò che non è un URL. Correggere l'URL nell'ERP",
    ),
    "images.fetch.redirect_nowhere": Sentence(
        en="the server redirects, but does not say where ({status})",
        it="il server reindirizza, ma non dice dove ({status})",
    ),
    "images.fetch.missing": Sentence(
        en=(
            "the server has no such picture (404): correct the URL in the ERP, or take its row out"
        ),
        it=(
            "il server non ha questa immagine (404): correggere l'URL nell'ERP, o togliere la riga"
        ),
    ),
    "images.fetch.gone": Sentence(
        en=(
            "the server says that the picture is gone for good (410): correct the URL in the ERP,"
            " or take its row out"
        ),
        it=(
            "secondo il server l'immagine è stata rimossa per sempre (410): correggere l'URL"
            " nell'ERP, o togliere la riga"
        ),
    ),
    "images.fetch.too_many": Sentence(
        en=(
            "the server says that too many pictures at a time are asked for ({status}), each time"
            " it was asked. Try later, or with a lower per_host"
        ),
        it=(
            "secondo il server si chiedono troppe immagini insieme ({status}), a ogni tentativo."
            " Riprovare più tardi, o con un per_host più basso"
        ),
    ),
    "images.fetch.too_many_pause": Sentence(
        en=(
            "the server says that too many pictures at a time are asked for ({status}) and asks to"
            " be left alone for {seconds:,.0f} seconds. Try later"
        ),
        it=(
            "secondo il server si chiedono troppe immagini insieme ({status}); chiede una pausa di"
            " {seconds:,.0f} secondi. Riprovare più tardi"
        ),
    ),
    "images.fetch.unwell": Sentence(
        en=(
            "the server says that it is not well ({status}), each time it was asked. Try later, or"
            " with a lower per_host"
        ),
        it=(
            "il server segnala un problema suo ({status}), a ogni tentativo. Riprovare più tardi,"
            " o con un per_host più basso"
        ),
    ),
    "images.fetch.unwell_pause": Sentence(
        en=(
            "the server says that it is not well ({status}) and asks to be left alone for"
            " {seconds:,.0f} seconds. Try later"
        ),
        it=(
            "il server segnala un problema suo ({status}); chiede una pausa di {seconds:,.0f}"
            " secondi. Riprovare più tardi"
        ),
    ),
    "images.fetch.forbidden": Sentence(
        en=(
            "the server does not give it to us ({status}): it has to be readable by everybody, or"
            " the URL has expired"
        ),
        it=(
            "il server non ce la dà ({status}): deve essere leggibile da tutti, oppure l'URL è"
            " scaduto"
        ),
    ),
    "images.fetch.other_answer": Sentence(
        en="the server answers {status}; expected a picture (200)",
        it="il server risponde {status}; attesa un'immagine (200)",
    ),
    "images.fetch.unreachable": Sentence(
        en="the server cannot be reached: {reason}", it="il server non è raggiungibile: {reason}"
    ),
    "images.fetch.unknown_name": Sentence(
        en=(
            "the server cannot be reached: its name is not known (DNS); correct the URL in the"
            " ERP, or this machine's DNS"
        ),
        it=(
            "il server non è raggiungibile: il nome non è noto (DNS); correggere l'URL nell'ERP, o"
            " il DNS di questa macchina"
        ),
    ),
    "images.fetch.no_address": Sentence(
        en="the name has no address", it="il nome non ha alcun indirizzo"
    ),
    "images.fetch.no_answer": Sentence(
        en="the server cannot be reached: it does not answer",
        it="il server non è raggiungibile: non risponde",
    ),
    "images.fetch.no_tls": Sentence(
        en="no encrypted connection (TLS) to the server is possible",
        it="non è possibile una connessione cifrata (TLS) con il server",
    ),
    "images.fetch.certificate": Sentence(
        en=(
            "the server's certificate is not good ({reason}). Its owner has to renew it; if an"
            " authority of your own has signed it, name the authority's file in REQUESTS_CA_BUNDLE"
        ),
        it=(
            "il certificato del server non è valido ({reason}). Il titolare deve rinnovarlo; se è"
            " firmato da una vostra autorità, indicarne il file in REQUESTS_CA_BUNDLE"
        ),
    ),
    "images.fetch.certificate_of_another": Sentence(
        en="it is another server's", it="è di un altro server"
    ),
    # --- a download
    "images.download.not_usable": Sentence(
        en="the server's answer cannot be used: {reason}",
        it="la risposta del server non è utilizzabile: {reason}",
    ),
    "images.download.server_given_up": Sentence(
        en=("{server} was given up for this run, with {count:,} of its URLs not asked: {reason}."),
        it=(
            "{server} è stato abbandonato per questa esecuzione, con {count:,} dei suoi URL non"
            " richiesti: {reason}."
        ),
    ),
    "images.download.url_given_up": Sentence(
        en="not asked, because its server was given up for this run: {reason}",
        it="non richiesto, perché il suo server è stato abbandonato per questa volta: {reason}",
    ),
    "images.download.previous_stays": Sentence(
        en="{reason}. The previous picture stays", it="{reason}. Resta l'immagine precedente"
    ),
    "images.download.url_of_items": Sentence(
        en="{url} (items {items})",
        it="{url} (articoli {items})",
        one_en="{url} (item {items})",
        one_it="{url} (articolo {items})",
    ),
    # --- the audit
    "images.audit.unreadable": Sentence(
        en="it could not be read", it="non è stato possibile leggerla"
    ),
    "images.audit.misnamed": Sentence(
        en="it is a {kind}, but its name ends in .{ending}",
        it="è un {kind}, ma il nome termina in .{ending}",
    ),
    "images.audit.no_ending": Sentence(
        en="it is a {kind}, but its name has no ending",
        it="è un {kind}, ma il nome non ha estensione",
    ),
    "images.audit.small": Sentence(
        en="{width} x {height} pixels; its longer side should have {limit:,}",
        it="{width} x {height} pixel; il lato maggiore dovrebbe averne {limit:,}",
    ),
    # --- the contact sheet
    "images.sheet.headline": Sentence(
        en="{count:,} pictures, something wrong with {wrong:,}",
        it="{count:,} immagini, qualcosa non va in {wrong:,}",
        one_en="{count:,} picture, something wrong with {wrong:,}",
        one_it="{count:,} immagine, qualcosa non va in {wrong:,}",
    ),
    "images.sheet.first_only": Sentence(
        en="{headline}; the first {shown:,}", it="{headline}; le prime {shown:,}"
    ),
    "images.sheet.no_picture": Sentence(en="no picture", it="nessuna foto"),
    "images.mark.missing": Sentence(en="missing", it="mancante"),
    "images.mark.refused": Sentence(en="refused", it="nome errato"),
    "images.mark.failed": Sentence(en="failed", it="illeggibile"),
    "images.mark.ambiguous": Sentence(en="ambiguous", it="ambigua"),
    "images.mark.misnamed": Sentence(en="misnamed", it="tipo errato"),
    "images.mark.small": Sentence(en="small", it="piccola"),
    "images.mark.duplicate": Sentence(en="duplicate", it="doppia"),
}
