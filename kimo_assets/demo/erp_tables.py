"""The ERP's integration database as data: its tables, their columns, and what Kimo calls them.

The tables' DDL, the rows' column order and kimo.yaml derive from here. About two thirds of the
tables are named as Kimo's entities, the others are the ERP's own. The rows are made by the modules
of each area. Into the tables of EXPORTED it is Kimo that writes; what the ERP makes of their rows
is in fake_erp.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A column of the ERP; `field` is Kimo's name, or None where Kimo does not read it."""

    name: str
    type: str
    field: str | None


@dataclass(frozen=True)
class Table:
    """A table of the ERP and the entity it feeds; of those that Kimo fills, the entity they are
    filled from.
    """

    entity: str
    name: str
    columns: tuple[Column, ...]
    where: str | None = None
    query: str | None = None
    indexed: str | None = None

    @property
    def ddl(self) -> str:
        columns = ", ".join(f'"{column.name}" {column.type}' for column in self.columns)
        return f'CREATE TABLE "{self.name}" ({columns})'

    @property
    def fields(self) -> dict[str, str]:
        """Kimo's field -> the ERP's column, where the names differ."""
        return {
            column.field: column.name
            for column in self.columns
            if column.field is not None and column.field != column.name
        }


def _column(line: str) -> Column:
    declared, _, field = (part.strip() for part in line.partition(">"))
    name, type_ = declared.split(" ", 1)
    return Column(name, type_.strip(), field or None)


def _own(
    entity: str,
    name: str,
    columns: str,
    *,
    where: str | None = None,
    query: str | None = None,
    indexed: str | None = None,
) -> Table:
    """A table with the ERP's own names: one `column type > field` a line."""
    lines = tuple(_column(line) for line in columns.strip().splitlines())
    return Table(entity, name, lines, where, query, indexed)


def _kimo(
    entity: str, columns: str, *, name: str | None = None, indexed: str | None = None
) -> Table:
    """A table whose columns carry Kimo's names: `column type` between semicolons."""
    declared = (_column(part.strip()) for part in columns.split(";"))
    same = tuple(Column(column.name, column.type, column.name) for column in declared)
    return Table(entity, name or entity, same, indexed=indexed)


LOOKUPS = (
    _kimo("Language", "Id VARCHAR(10); Description VARCHAR(50)"),
    _kimo("Currency", "Id VARCHAR(3); Description VARCHAR(50); Symbol VARCHAR(5)"),
    _own(
        "VatRate",
        "ALIQUOTE_IVA",
        """
        CODIVA VARCHAR(5) > Id
        DESCRIZIONE VARCHAR(60) > Description
        ALIQUOTA NUMERIC(5,2) > Value
        ESENTE INTEGER > IsExemption
        """,
    ),
    # What a foreign key names has to be there (fact sheet, section 8), so that an ERP sends its
    # small tables too.
    _kimo("PaymentType", "Id VARCHAR(10); Description VARCHAR(60)"),
    _own(
        "PaymentMethod",
        "CONDIZIONI_PAGAMENTO",
        """
        CODPAG VARCHAR(10) > Id
        DESCRIZIONE VARCHAR(80) > Description
        TIPO VARCHAR(10) > PaymentTypeId
        SCONTO NUMERIC(5,2) > Discount1
        """,
    ),
    _kimo("Zone", "Id VARCHAR(10); Description VARCHAR(60); SalesAgentId VARCHAR(10)", name="ZONE"),
    _kimo("CustomerGroup", "Id VARCHAR(10); Description VARCHAR(60); Priority INTEGER"),
    _kimo(
        "CustomerGroupTranslation",
        "CustomerGroupId VARCHAR(10); LanguageId VARCHAR(10); Description VARCHAR(80)",
    ),
    _kimo("CustomerPriceGroup", "Id VARCHAR(10); Description VARCHAR(60); Priority INTEGER"),
    _kimo("StatisticClass", "Id VARCHAR(10); Description VARCHAR(60)"),
    # By it an ERP sets business rules (fact sheet, section 8).
    _kimo("BusinessRuleFromErp", "Key VARCHAR(100); Value VARCHAR(200)"),
    _kimo(
        "ActivityType",
        "Id VARCHAR(10); Description VARCHAR(60); Duration INTEGER; SortPriority INTEGER",
    ),
)

AGENTS = (
    _own(
        "SalesAgent",
        "AGENTI",
        """
        CODAGE VARCHAR(10) > Id
        NOMINATIVO VARCHAR(60) > Description
        INDIRIZZO VARCHAR(80) > AddressLine
        CAP VARCHAR(5) > AddressPostCode
        CITTA VARCHAR(40) > AddressCity
        PROV VARCHAR(2) > AddressCountrySubdivision
        NAZIONE VARCHAR(2) > AddressCountry
        PIVA VARCHAR(11) > VatNumber
        TELEFONO VARCHAR(20) > Phone
        CELLULARE VARCHAR(20) > MobilePhone
        EMAIL VARCHAR(80) > Mail
        PROVVIGIONE NUMERIC(5,2)
        """,
    ),
    _own(
        # It decides which customers an agent sees (fact sheet, section 11). A query, because this
        # ERP keeps links of the past and of customers that it does not send.
        "SalesAgentPerAccount",
        "AGENTI_CLIENTI",
        """
        CODAGE VARCHAR(10) > SalesAgentId
        CODCLI VARCHAR(10) > AccountId
        RUOLO VARCHAR(1)
        DAL DATE
        CESSATO INTEGER
        """,
        query="""
        SELECT r.CODCLI AS AccountId, r.CODAGE AS SalesAgentId
        FROM AGENTI_CLIENTI r
        JOIN ANAGRAFICA_CLIENTI c ON c.CODCLI = r.CODCLI
        WHERE c.ATTIVO = 1 AND r.CESSATO = 0
        """,
    ),
    # The vendor named it after users, and links agents in it.
    _kimo("TrademarkPerUser", "TrademarkId VARCHAR(10); SalesAgentId VARCHAR(10)"),
    _kimo("WarehousePerSalesAgent", "SalesAgentId VARCHAR(10); WarehouseId VARCHAR(10)"),
    _kimo(
        "VisibilityFilterPerSalesAgent", "SalesAgentId VARCHAR(10); VisibilityFilterId VARCHAR(10)"
    ),
)

ACCOUNTS = (
    _own(
        "Account",
        "ANAGRAFICA_CLIENTI",
        """
        CODCLI VARCHAR(10) > Id
        TIPO INTEGER > AccountTypeId
        CODSEDE VARCHAR(10) > HeadOfficeId
        RAGSOC VARCHAR(100) > Name
        INSEGNA VARCHAR(100) > NickName
        INDIRIZZO VARCHAR(80) > AddressLine
        CAP VARCHAR(5) > AddressPostCode
        CITTA VARCHAR(40) > AddressCity
        PROV VARCHAR(2) > AddressCountrySubdivision
        NAZIONE VARCHAR(2) > AddressCountry
        PIVA VARCHAR(11) > VatNumber
        CODFISC VARCHAR(16) > FiscalCode
        TELEFONO VARCHAR(20) > Phone
        CELLULARE VARCHAR(20) > MobilePhone
        EMAIL VARCHAR(100) > Mail
        PEC VARCHAR(100) > CertifiedMail
        CODSDI VARCHAR(7) > UniqueOfficeCode
        NATURA INTEGER > CustomerTypeId
        LIVELLO INTEGER > Level
        CODAGE VARCHAR(10) > SalesAgentId
        CODZONA VARCHAR(10) > ZoneId
        CATCLI VARCHAR(10) > CustomerGroupId
        CATPREZZO VARCHAR(10) > CustomerPriceGroupId
        CLASTAT VARCHAR(10) > StatisticClassId
        CODPAG VARCHAR(10) > PaymentMethodId
        CODLIS VARCHAR(10) > PriceListId
        CODVAL VARCHAR(3) > CurrencyId
        CODLINGUA VARCHAR(10) > LanguageId
        CODMAG VARCHAR(10) > WarehouseId
        SCONTO1 NUMERIC(5,2) > Discount1
        SCONTO2 NUMERIC(5,2) > Discount2
        IBAN VARCHAR(27) > BankIban
        ABI VARCHAR(5) > BankAbi
        CAB VARCHAR(5) > BankCab
        CIN VARCHAR(1) > BankCin
        CONTO VARCHAR(12) > BankCc
        BLOCCATO INTEGER > Locked
        DEST_PREDEF INTEGER > IsDefaultShipmentSite
        ORARIO_SCARICO VARCHAR(50) > LogisticOpeningTimes
        ANNOTAZIONI VARCHAR(500) > Notes
        DATA_INSERIMENTO DATETIME > CreationDate
        ATTIVO INTEGER
        """,
        # The vendor's AdditionalFilter (fact sheet, section 7).
        where="ATTIVO = 1",
        indexed="CODCLI",
    ),
    _own(
        # The vendor's CustomQuery (fact sheet, section 7): one field is only a difference in the
        # ERP.
        "AccountAccountingInfo",
        "FIDI_CLIENTI",
        """
        CODCLI VARCHAR(10) > AccountId
        CODVAL VARCHAR(3) > CurrencyId
        FIDO NUMERIC(14,2) > CreditLimitGrantedAmount
        ESPOSIZIONE NUMERIC(14,2) > ExposureAmount
        FATTURATO_ANNO NUMERIC(14,2) > InvoicesAmount
        FATTURATO_ANNO_PREC NUMERIC(14,2) > InvoicesPastAmount
        NUM_INSOLUTI INTEGER > UnpaidsNumber
        AGGIORNATO_IL DATE > LastUpdateDate
        STATISTICHE TEXT > FreeText1
        """,
        query="""
        SELECT f.CODCLI AS AccountId, f.CODVAL AS CurrencyId, f.FIDO AS CreditLimitGrantedAmount,
               f.ESPOSIZIONE AS ExposureAmount, f.FIDO - f.ESPOSIZIONE AS CreditLimitResidualAmount,
               f.FATTURATO_ANNO AS InvoicesAmount, f.FATTURATO_ANNO_PREC AS InvoicesPastAmount,
               f.NUM_INSOLUTI AS UnpaidsNumber, f.AGGIORNATO_IL AS LastUpdateDate, f.STATISTICHE
                   AS FreeText1
        FROM FIDI_CLIENTI f
        JOIN ANAGRAFICA_CLIENTI c ON c.CODCLI = f.CODCLI
        WHERE c.ATTIVO = 1
        """,
    ),
    _kimo(
        "Contact",
        "Id INTEGER; AccountId VARCHAR(10); FirstName VARCHAR(60); LastName VARCHAR(60); Gender"
        " VARCHAR(1); Birthday DATE; Phone VARCHAR(20); MobilePhone VARCHAR(20); Mail VARCHAR(100);"
        " MarketingConsent INTEGER; PrivacyConsent INTEGER; Notes VARCHAR(200); CreationDate"
        " DATETIME",
    ),
)

ITEMS = (
    _own(
        "Manufacturer",
        "PRODUTTORI",
        """
        CODPRO VARCHAR(10) > Id
        RAGSOC VARCHAR(80) > Name
        CODESTERNO VARCHAR(20) > ExternalId
        """,
    ),
    _kimo("Trademark", "Id VARCHAR(10); Description VARCHAR(60); MinQty NUMERIC(9,2)"),
    _kimo(
        "ItemGroup",
        "Id VARCHAR(20); Level1Id VARCHAR(5); Level2Id VARCHAR(5); Level3Id VARCHAR(5); "
        "Description VARCHAR(60)",
    ),
    _kimo("ItemLine", "Id VARCHAR(10); Description VARCHAR(60)"),
    _kimo("Season", "Id VARCHAR(10); Description VARCHAR(60)"),
    _own(
        # The price to the public is a text here, so that a decimal comma can be tried
        # (invalid_rows.py).
        "Item",
        "ARTICOLI",
        """
        CODART VARCHAR(20) > Id
        DESCRIZIONE VARCHAR(130) > Description
        DESCRIZIONE_ESTESA TEXT > LongDescription
        TIPO INTEGER > ItemType
        CODMARCHIO VARCHAR(10) > TrademarkId
        CODPRO VARCHAR(10) > ManufacturerId
        CODART_PRODUTTORE VARCHAR(30) > ManufacturerItemId
        GRUPPO VARCHAR(5) > ItemGroupLevel1Id
        FAMIGLIA VARCHAR(5) > ItemGroupLevel2Id
        SOTTOFAMIGLIA VARCHAR(5) > ItemGroupLevel3Id
        CODLINEA VARCHAR(10) > LineId
        CODSTAGIONE VARCHAR(10) > SeasonId
        CODIVA VARCHAR(5) > VatRateId
        UM VARCHAR(5) > BaseSalesUomId
        PREZZO_PUBBLICO VARCHAR(20) > EndCustomerPrice
        GESTIONE_LOTTI INTEGER > LotManagementType
        GIORNI_APPROVV INTEGER > LeadTime
        VISIBILE INTEGER > IsVisibleOnItemsSearch
        ANNOTAZIONI VARCHAR(500) > Notes
        DATA_CREAZIONE DATETIME > CreationDate
        OBSOLETO INTEGER
        """,
        where="OBSOLETO = 0",
    ),
    _kimo(
        "ItemTranslation",
        "ItemId VARCHAR(20); LanguageId VARCHAR(10); Description VARCHAR(130); LongDescription"
        " VARCHAR(255)",
    ),
    _kimo(
        "ItemUom",
        "ItemId VARCHAR(20); SalesUomId VARCHAR(5); PackUomId VARCHAR(5); PackUnitUomId VARCHAR(5);"
        " UnitsPerPack NUMERIC(9,3); Barcode VARCHAR(20); Label VARCHAR(20); Weight VARCHAR(20);"
        " Priority INTEGER; UnitsPerPackDivisibilityRule INTEGER",
    ),
    _kimo(
        "ItemCrossReference",
        "ItemId VARCHAR(20); EncodingType INTEGER; EncodingKey VARCHAR(20); "
        "ItemCrossReferenceCode VARCHAR(30); Description VARCHAR(130)",
    ),
    _kimo(
        # Of type 4 the source is a group's name and no item (fact sheet, section 8).
        "ItemAssociated",
        "SourceItemId VARCHAR(20); AssociatedItemId VARCHAR(20); AssociationType INTEGER; "
        "CustomerId VARCHAR(10); StartDate VARCHAR(10); EndDate VARCHAR(10); Priority INTEGER",
    ),
    _kimo(
        # FilePath counts from the folder of pictures (fact sheet, section 12).
        "ItemImage",
        "Id INTEGER; ItemId VARCHAR(20); FilePath VARCHAR(255); Caption VARCHAR(150); Priority"
        " INTEGER",
    ),
    _kimo(
        # Only those of UrlTypeId 1 are downloaded (fact sheet, section 12).
        "ItemUrl",
        "Id INTEGER; ItemId VARCHAR(20); UrlTypeId INTEGER; Url VARCHAR(500); "
        "Caption VARCHAR(150); Priority INTEGER",
    ),
    _kimo("VisibilityFilter", "Id VARCHAR(10); Description VARCHAR(60)"),
    _kimo("VisibilityFilterPerItem", "ItemId VARCHAR(20); VisibilityFilterId VARCHAR(10)"),
)

STOCK = (
    _own(
        "Warehouse",
        "MAGAZZINI",
        """
        CODMAG VARCHAR(10) > Id
        DESCRIZIONE VARCHAR(60) > Description
        INDIRIZZO VARCHAR(80) > AddressLine
        CAP VARCHAR(5) > AddressPostCode
        CITTA VARCHAR(40) > AddressCity
        PROV VARCHAR(2) > AddressCountrySubdivision
        SPEDISCE INTEGER > CanShip
        RITIRO INTEGER > CanCollect
        GIORNI_EVASIONE INTEGER > LeadTime
        """,
    ),
    _own(
        # DATA_DISP is a text, because -1 (now) stands among its days.
        "ItemOfflineAvailability",
        "GIACENZE",
        """
        CODART VARCHAR(20) > ItemId
        CODMAG VARCHAR(10) > WarehouseId
        DATA_DISP VARCHAR(10) > StartAvailabilityDate
        UM VARCHAR(5) > UomId
        DISPONIBILE NUMERIC(12,3) > WarehouseAvailability
        DISPONIBILE_TOTALE NUMERIC(12,3) > GlobalAvailability
        AGGIORNATO_IL DATETIME > LastUpdateDate
        """,
    ),
)

PRICES = (
    _own(
        "PriceList",
        "LISTINI",
        """
        CODLIS VARCHAR(10) > Id
        DESCRIZIONE VARCHAR(60) > Description
        PRIORITA INTEGER > Priority
        """,
    ),
    _own(
        # One table for prices of a list, of a customer and of an agent: empty keys tell them apart.
        "ItemListPrice",
        "LISTINI_RIGHE",
        """
        CODART VARCHAR(20) > ItemId
        CODLIS VARCHAR(10) > PriceListId
        CODCLI VARCHAR(10) > AccountId
        CODAGE VARCHAR(10) > SalesAgentId
        UM VARCHAR(5) > SalesUomId
        CODVAL VARCHAR(3) > CurrencyId
        DAL DATE > StartDate
        AL VARCHAR(10) > EndDate
        DAQTA NUMERIC(12,3) > StartQuantityRange
        AQTA NUMERIC(12,3) > EndQuantityRange
        PREZZO NUMERIC(15,5) > UnitPrice
        SC1 NUMERIC(5,2) > Discount1
        SC2 NUMERIC(5,2) > Discount2
        """,
    ),
    _kimo(
        # The lower Priority wins (fact sheet, section 11).
        "CatalogPriceList",
        "Id INTEGER; Description VARCHAR(60); PriceListId VARCHAR(10); CurrencyId VARCHAR(3); "
        "CustomerGroupId VARCHAR(10); CustomerPriceGroupId VARCHAR(10); SalesAgentId VARCHAR(10); "
        "Priority INTEGER",
    ),
    _kimo(
        "DiscountsPerItemGroup",
        "AccountId VARCHAR(10); CustomerGroupId VARCHAR(10); ItemGroupLevel1Id VARCHAR(5);"
        " ItemGroupLevel2Id VARCHAR(5); StartDate DATE; EndDate VARCHAR(10); Discount1"
        " NUMERIC(5,2); Discount2 NUMERIC(5,2)",
    ),
)

PROMOTIONS = (
    _kimo(
        "Promotion",
        "Id INTEGER; Number VARCHAR(20); Description VARCHAR(100); Notes VARCHAR(200); "
        "PromotionType INTEGER; StartDate DATE; EndDate DATE; Discount1 NUMERIC(5,2); "
        "MinQty NUMERIC(9,2); MinAmount NUMERIC(12,2); "
        "GiftPaidQty NUMERIC(9,2); GiftFreeQty NUMERIC(9,2); AlternativePaymentId VARCHAR(10); "
        "ActivationMode INTEGER",
    ),
    _kimo(
        # By these rows Kimo decides who gets a promotion (fact sheet, section 11).
        "PromotionFilter",
        "PromotionId INTEGER; EncodingType VARCHAR(20); EncodingKey VARCHAR(20); Included INTEGER;"
        " StartDate VARCHAR(10); EndDate VARCHAR(10); WarehousesIncluded INTEGER; WarehouseId1"
        " VARCHAR(10); WarehouseId2 VARCHAR(10)",
    ),
    _kimo(
        "PromotionLine",
        "Id INTEGER; PromotionId INTEGER; LineNumber INTEGER; EncodingType VARCHAR(20); "
        "EncodingKey VARCHAR(20); Included INTEGER; Mandatory INTEGER; "
        "Discount1 NUMERIC(5,2); ImposedUnitPrice NUMERIC(15,5); "
        "MinQty NUMERIC(9,2); GiftItemId VARCHAR(20); Notes VARCHAR(200)",
    ),
)

DOCUMENTS = (
    _own(
        # CODAGE is the owner. By the default of ErpDocument\FilterPerUser only the owner gets a
        # document (fact sheet, section 11).
        "ErpDocument",
        "ORDINI_TESTATE",
        """
        IDORD VARCHAR(20) > Id
        NUMERO VARCHAR(20) > Number
        DATA_ORDINE DATE > DocumentDate
        TIPODOC VARCHAR(10) > ErpDocumentTypeId
        CODCLI VARCHAR(10) > AccountId
        RAGSOC VARCHAR(100) > AccountName
        TIPODEST INTEGER > ShipmentSiteType
        CODDEST VARCHAR(10) > ShipmentSiteId
        CODAGE VARCHAR(10) > SalesAgentId
        CODPAG VARCHAR(10) > PaymentMethodId
        CODLIS VARCHAR(10) > PriceListId
        CODVAL VARCHAR(3) > CurrencyId
        CODMAG VARCHAR(10) > WarehouseId
        RIF_CLIENTE VARCHAR(40) > DocumentReference
        RIF_KIMO VARCHAR(50) > SourceReference
        DATA_CONSEGNA DATE > DeliveryDate
        STATO_EVASIONE INTEGER > FulfillmentStatus
        DATA_EVASIONE VARCHAR(10) > FulfillmentDate
        IMPONIBILE NUMERIC(14,2) > Amount
        IMPOSTA NUMERIC(14,2) > VatAmount
        TOTALE NUMERIC(14,2) > AmountIncludingVat
        ANNOTAZIONI VARCHAR(200) > Notes
        """,
        indexed="IDORD",
    ),
    _own(
        # A line has no agent of its own (fact sheet, section 11).
        "ErpDocumentLine",
        "ORDINI_RIGHE",
        """
        IDRIGA INTEGER > Id
        IDORD VARCHAR(20) > ErpDocumentId
        RIGA INTEGER > LineNumber
        TIPORIGA INTEGER > LineType
        CODART VARCHAR(20) > ItemId
        DESCRIZIONE VARCHAR(130) > ItemDescription
        UM VARCHAR(5) > SalesUomId
        QTA NUMERIC(12,3) > SalesQty
        QTA_EVASA NUMERIC(12,3) > ShippedQty
        QTA_RESIDUA NUMERIC(12,3) > OutstandingQty
        PREZZO NUMERIC(15,5) > UnitPrice
        SC1 NUMERIC(5,2) > Discount1
        SC2 NUMERIC(5,2) > Discount2
        IMPORTO NUMERIC(14,2) > Amount
        CODIVA VARCHAR(5) > VatRateId
        IN_PROMO INTEGER > InPromotion
        """,
    ),
    _own(
        "ReceivableInstallment",
        # DATA_PAGAMENTO is declared a number and holds days as well, as SQLite and some ERPs allow.
        "PARTITE_APERTE",
        """
        IDPARTITA INTEGER > Id
        CODCLI VARCHAR(10) > CustomerId
        RAGSOC VARCHAR(100) > CustomerName
        NUM_FATTURA VARCHAR(20) > SourceDocumentNumber
        DATA_FATTURA DATE > SourceDocumentDate
        RATA INTEGER > LineNumber
        SCADENZA DATE > ExpiryDate
        CODVAL VARCHAR(3) > CurrencyId
        IMPORTO NUMERIC(14,2) > OriginalDueAmount
        PAGATO NUMERIC(14,2) > PaidAmount
        RESIDUO NUMERIC(14,2) > ResidualDueAmount
        DATA_PAGAMENTO INTEGER > PaidDate
        TIPOPAG VARCHAR(10) > PaymentTypeId
        STATO INTEGER > PaymentStatus
        INCASSABILE INTEGER > IsCashableBySalesAgent
        """,
    ),
)

VISITS = (
    _kimo(
        "Activity",
        "Id INTEGER; ActivityTypeId VARCHAR(10); AccountId VARCHAR(10); CreatorId VARCHAR(10);"
        " Subject VARCHAR(100); Notes VARCHAR(500); StartDate DATETIME; EndDate DATETIME; Duration"
        " INTEGER; Status INTEGER; TrademarkId VARCHAR(10); CreationDate DATETIME",
    ),
    _kimo("ActivityAssignee", "ActivityId INTEGER; AssigneeId VARCHAR(10); AssigneeType INTEGER"),
)

# The vendor's tables of answers are all alike (fact sheet, section 9).
_ANSWER = (
    "Id INTEGER; SyncReference VARCHAR(50); EntityId VARCHAR(10); UserId VARCHAR(10); "
    "ElaboratedOnErpTimeStamp DATETIME"
)

# None for orders: they come back as documents of the ERP (fact sheet, section 9).
ANSWERS = (
    _kimo("EntitySyncReferenceForAccount", _ANSWER, indexed="SyncReference"),
    _kimo("EntitySyncReferenceForActivity", _ANSWER, indexed="SyncReference"),
    _kimo("EntitySyncReferenceForReceivableInstallment", _ANSWER, indexed="SyncReference"),
)

# An Id is Kimo's own, of 36 characters, until the ERP has answered. Days are texts of 8 digits, as
# old interfaces want them.
EXPORTED = (
    _own(
        "Account",
        # A table of its own: Kimo only appends (fact sheet, section 2), and the ERP decides who
        # becomes a customer.
        "KIMO_CLIENTI",
        """
        ID_KIMO VARCHAR(50) > Id
        SYNCREF VARCHAR(50) > SyncReference
        MOTIVO INTEGER > CreationReason
        TIPO INTEGER > AccountTypeId
        RAGSOC VARCHAR(100) > Name
        INSEGNA VARCHAR(100) > NickName
        INDIRIZZO VARCHAR(80) > AddressLine
        CAP VARCHAR(5) > AddressPostCode
        CITTA VARCHAR(40) > AddressCity
        PROV VARCHAR(2) > AddressCountrySubdivision
        NAZIONE VARCHAR(2) > AddressCountry
        PIVA VARCHAR(11) > VatNumber
        CODFISC VARCHAR(16) > FiscalCode
        TELEFONO VARCHAR(20) > Phone
        CELLULARE VARCHAR(20) > MobilePhone
        EMAIL VARCHAR(100) > Mail
        PEC VARCHAR(100) > CertifiedMail
        CODSDI VARCHAR(7) > UniqueOfficeCode
        NATURA INTEGER > CustomerTypeId
        CODAGE VARCHAR(10) > SalesAgentId
        CODZONA VARCHAR(10) > ZoneId
        CATCLI VARCHAR(10) > CustomerGroupId
        CODPAG VARCHAR(10) > PaymentMethodId
        CODLIS VARCHAR(10) > PriceListId
        CODVAL VARCHAR(3) > CurrencyId
        CODLINGUA VARCHAR(10) > LanguageId
        BLOCCATO INTEGER > Locked
        ORARIO_SCARICO VARCHAR(50) > LogisticOpeningTimes
        ANNOTAZIONI VARCHAR(500) > Notes
        DATA_INSERIMENTO VARCHAR(19) > CreationDate
        UTENTE VARCHAR(10) > LastModifiedUserId
        """,
        indexed="SYNCREF",
    ),
    _own(
        "Document",
        "KIMO_ORDINI",
        """
        ID_KIMO VARCHAR(50) > Id
        SYNCREF VARCHAR(50) > SyncReference
        NUMERO_KIMO VARCHAR(20) > Number
        ORIGINE VARCHAR(10) > AppOrigin
        TIPODOC VARCHAR(10) > DocumentTypeId
        DATA_ORDINE VARCHAR(8) > DocumentDate
        CODCLI VARCHAR(50) > AccountId
        TIPODEST INTEGER > ShipmentSiteType
        CODDEST VARCHAR(50) > ShipmentSiteId
        CODAGE VARCHAR(10) > CreatorId
        CODPAG VARCHAR(10) > PaymentMethodId
        CODLIS VARCHAR(10) > PriceListId
        CODVAL VARCHAR(3) > CurrencyId
        CODMAG VARCHAR(10) > WarehouseId
        RIF_CLIENTE VARCHAR(40) > DocumentReference
        DATA_CONSEGNA VARCHAR(8) > DeliveryDate
        EVASIONE_TOTALE INTEGER > TotalFulfillment
        IMPONIBILE NUMERIC(14,2) > Amount
        IMPOSTA NUMERIC(14,2) > VatAmount
        TOTALE NUMERIC(14,2) > AmountIncludingVat
        ANNOTAZIONI VARCHAR(200) > Notes
        """,
        indexed="SYNCREF",
    ),
    _own(
        "DocumentLine",
        "KIMO_ORDINI_RIGHE",
        """
        ID_KIMO VARCHAR(50) > Id
        SYNCREF VARCHAR(50) > SyncReference
        IDORD_KIMO VARCHAR(50) > DocumentId
        RIGA INTEGER > LineNumber
        TIPORIGA INTEGER > LineType
        TIPO_VENDITA VARCHAR(5) > SaleTypeId
        CODART VARCHAR(20) > ItemId
        DESCRIZIONE VARCHAR(130) > ItemDescription
        UM VARCHAR(5) > SalesUomId
        QTA NUMERIC(12,3) > SalesQty
        PREZZO NUMERIC(15,5) > UnitPrice
        SC1 NUMERIC(5,2) > Discount1
        SC2 NUMERIC(5,2) > Discount2
        IMPORTO NUMERIC(14,2) > Amount
        CODIVA VARCHAR(5) > VatRateId
        ANNOTAZIONI VARCHAR(100) > Notes
        """,
        indexed="IDORD_KIMO",
    ),
    _own(
        "Activity",
        "KIMO_VISITE",
        """
        ID_KIMO VARCHAR(50) > Id
        SYNCREF VARCHAR(50) > SyncReference
        TIPO VARCHAR(10) > ActivityTypeId
        CODCLI VARCHAR(50) > AccountId
        CODAGE VARCHAR(10) > CreatorId
        OGGETTO VARCHAR(100) > Subject
        ANNOTAZIONI VARCHAR(500) > Notes
        INIZIO VARCHAR(19) > StartDate
        FINE VARCHAR(19) > EndDate
        DURATA INTEGER > Duration
        STATO INTEGER > Status
        CODMARCHIO VARCHAR(10) > TrademarkId
        INSERITA_IL VARCHAR(19) > CreationDate
        UTENTE VARCHAR(10) > LastModifiedUserId
        """,
        indexed="SYNCREF",
    ),
    _own(
        "ActivityAssignee",
        # Rows below a head have a SyncReference and no status (fact sheet, section 9).
        "KIMO_VISITE_AGENTI",
        """
        SYNCREF VARCHAR(50) > SyncReference
        ID_VISITA VARCHAR(50) > ActivityId
        CODAGE VARCHAR(10) > AssigneeId
        RUOLO INTEGER > AssigneeType
        """,
        indexed="ID_VISITA",
    ),
    _own(
        "ReceivableInstallment",
        "KIMO_INCASSI",
        """
        IDPARTITA INTEGER > Id
        SYNCREF VARCHAR(50) > SyncReference
        CODCLI VARCHAR(50) > CustomerId
        INCASSATO NUMERIC(14,2) > ActualPaymentAmount
        DATA_INCASSO VARCHAR(8) > ActualPaymentDate
        TIPOPAG VARCHAR(10) > ActualPaymentTypeId
        RIFERIMENTO VARCHAR(60) > ActualPaymentReference
        UTENTE VARCHAR(10) > LastModifiedUserId
        """,
        indexed="SYNCREF",
    ),
)

# One column, as the vendor has it (fact sheet, section 4). There is none for imports, so that the
# demo also shows an ERP without: only tables in use need to exist (section 8).
EXPORT_SEMAPHORE = Table("", "ExportToErpSemaphore", (Column("Status", "INTEGER", None),))

AREAS: dict[str, tuple[Table, ...]] = {
    "Lookups (Tabelle di base)": LOOKUPS,
    "Sales agents (Agenti)": AGENTS,
    "Accounts (Clienti, prospect e destinazioni merci)": ACCOUNTS,
    "Items (Articoli)": ITEMS,
    "Warehouses and availability (Magazzini e disponibilità)": STOCK,
    "Prices (Listini e sconti)": PRICES,
    "Promotions (Promozioni)": PROMOTIONS,
    "Past orders and open items (Documenti da ERP, partite aperte)": DOCUMENTS,
    "Visits (Attività)": VISITS,
    "The ERP's answers to what Kimo exported (Risposte dell'ERP)": ANSWERS,
}

TABLES: dict[str, Table] = {
    table.name: table
    for tables in (*AREAS.values(), EXPORTED, (EXPORT_SEMAPHORE,))
    for table in tables
}
