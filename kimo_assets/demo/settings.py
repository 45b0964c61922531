"""settings.yaml of the demo company: what its administrator would have set in the console.

The format is defined by `kimo_assets.settings`; business rules stand at their defaults, so that
nothing else changes.
"""

import json

from kimo_assets.demo.agents import Agents, warehouse_rows
from kimo_assets.demo.mapping import MARKER
from kimo_assets.demo.names import COMPANY

_HEAD = f"""{MARKER}
# The settings (impostazioni) of {COMPANY}: what the ERP does not know. All invented.
# Made by `kimo demo`, which writes over this file. Change it, then:
# kimo settings load settings.yaml

# Defaults, spelled out. Rules that the ERP sets (BusinessRuleFromErp) prevail.
BusinessRule:
  ErpDocument\\FilterPerUser: 1
  ItemAvailability\\FilterMode: 0
  ItemImage\\ShouldFilterByActiveItems: False
  ErpDocumentLinesReport\\FilterByShipmentSite: 1
  Activity\\ActivitiesToUpload: 0
  PriceCalculation\\TotalDecimals: 2
  Api\\GoogleMapKeys: ${{GOOGLE_MAPS_KEYS}}

ServerSetting:
  Web\\BaseUrl: https://kimo.distribuzioniadriatiche.example
  MailServer\\SmtpServer: smtp.distribuzioniadriatiche.example
  MailServer\\Port: 465
  MailServer\\Password: ${{SMTP_PASSWORD}}
  Thumbnail\\ItemSize: 200
  ItemsImages\\MaxSize: 1200

Role:
  AGENTE:
    {{Name: Agente, RoleTypeId: SalesAgent, CanSeeAccounts: true, CanCreateProspects: true,
      CanEditProspects: true,
      CanSeeContacts: true, CanCreateContacts: true, CanEditContacts: true,
        CanSeeInstallments: true,
      CanSeeAlternativeItems: true, CanSeeRelatedItems: true, CanSeeSubstitutiveItems: true,
      CanSeeCompanyDocuments: true, CanSeeUserDocuments: true}}
  INCASSI:
    {{Name: Incassi, RoleTypeId: SalesAgent, CanSeeInstallments: true, CanSeeOverdue: true,
      CanCashInstallments: true}}
  CAPOAREA:
    {{Name: Capoarea, RoleTypeId: SalesAgent, CanSeeAccounts: true, CanCreateCustomers: true,
      CanEditCustomers: true,
      CanSeeContacts: true, CanSeeInstallments: true, CanSeeOverdue: true,
        CanSeeOnlineAvailability: true,
      CanSeeCompanyDocuments: true}}
  ADMIN: {{Name: Amministratore, RoleTypeId: Admin, CanSeeAccounts: true, CanSeeContacts: true}}

NumbersRegistry:
  TABLET: {{Description: Ordini da tablet, Prefix: T, FirstNumber: 1}}
  SEDE: {{Description: Ordini di sede, Prefix: S, FirstNumber: 1}}

Layout:
  STANDARD: {{Description: Standard, Definition: '{{"home": ["clienti", "catalogo", "agenda"]}}'}}
  CAPOAREA: {{Description: Capoarea, Definition: '{{"home": ["statistiche", "clienti",
    "agenda"]}}'}}

DocumentType:
  ORD:
    {{Code: OC, Description: Ordine cliente, DocumentFamilyId: SalesOrders, CanSendToErp: true,
      CanCreateForCustomers: true,
      NumbersRegistryId: TABLET, SortPriority: 1}}
  PRE:
    {{Code: PV, Description: Preventivo, DocumentFamilyId: SalesQuotes, CanCreateForCustomers: true,
      CanCreateForProspects: true, NumbersRegistryId: TABLET, SortPriority: 2}}
  INV: {{Code: INV, Description: Inventario, DocumentFamilyId: Inventories, CanSendToErp: true,
    SortPriority: 3}}

ErpDocumentType:
  OC: {{Description: Ordine cliente, DocumentFamilyId: SalesOrders, SortPriority: 1}}
  OCW: {{Description: Ordine dal web, DocumentFamilyId: SalesOrders, SortPriority: 2}}
  TV: {{Description: Tentata vendita, DocumentFamilyId: SalesOrders, SortPriority: 3}}

SaleType:
  VEN: {{Code: V, Description: Vendita, Mode: Normal, SortPriority: 1}}
  OMT: {{Code: OT, Description: Omaggio totale, Mode: TotalFreeSample, SortPriority: 2}}
  OMI: {{Code: OI, Description: Omaggio con rivalsa IVA, Mode: TaxableFreeSample, SortPriority: 3}}
  SCM: {{Code: SM, Description: Sconto merce, Mode: DiscountOnGoods, SortPriority: 4}}
  PRO: {{Code: VP, Description: Promozione, Mode: Promotion, SortPriority: 5}}

ReassortmentType:
  STO: {{Description: Storico acquisti, SortPriority: 1}}
  CON: {{Description: Assortimento concordato, SortPriority: 2}}

ConsoleActivityType:
  FORM: {{Description: Formazione, Duration: 120, SortPriority: 6}}
  FIERA: {{Description: Fiera, Duration: 480, SortPriority: 7}}

ConsoleFreeLookup:
  Activity:
    1:
      '': {{OK: Esito positivo, RIV: Da rivedere, NO: Esito negativo}}

# How ErpStatusId1..3 are decoded, by entity and number.
ErpStatus:
  ErpDocument1: {{A: Aperto, P: Evaso in parte, C: Chiuso}}
  Account1: {{A: Attivo, B: Bloccato}}

EntityMetadata:
  PROSPECT: {{Entity: Account, Origin: CreatedOnMobile}}
  VISITE: {{Entity: Activity}}

FieldMetadata:
  PROSPECT:
    Name: {{IsEditable: true, IsMandatory: true, MaxLength: 60}}
    VatNumber: {{IsEditable: true, IsNullable: true, MaxLength: 11, Regex: '^[0-9]{{11}}$'}}
  VISITE:
    Notes: {{IsEditable: true, IsNullable: true, IsResettable: true}}

DefaultValue:
  Account: {{CurrencyId: EUR, LanguageId: IT}}
  Document: {{PaymentMethodId: '${{Account.PaymentMethodId}}'}}
"""

# How many agents have a second user, who sells from another warehouse.
_SHARED = 2


def settings_yaml(agents: Agents) -> str:
    """The text of the demo's settings file: a user for each agent, and two for some."""
    users, roles = [], []
    shared = _shared(agents)
    for i, code in enumerate(agents.codes):
        manager = i >= agents.in_the_field
        first, second = shared.get(code, ("", ""))
        users.append(_user(code.lower(), agents.names[i], code, first, manager=manager))
        # Some have two roles, whose permissions add up (fact sheet, section 11).
        further = ""
        if manager:
            further = ", CAPOAREA"
        elif i % 3 == 0:
            further = ", INCASSI"
        roles.append(f"  {code.lower()}: [AGENTE{further}]")
        if second:
            users.append(
                _user(
                    f"{code.lower()}-2", f"{agents.names[i]} (furgone)", code, second, manager=False
                )
            )
            roles.append(f"  {code.lower()}-2: [AGENTE]")
    return "\n".join([_HEAD, _USERS, *users, _OTHERS, _ROLES, *roles, ""])


def _shared(agents: Agents) -> dict[str, tuple[str, str]]:
    """Those agents, each with two of the warehouses that are the agent's."""
    warehouses: dict[str, list[str]] = {}
    for agent, warehouse in warehouse_rows(agents):
        warehouses.setdefault(agent, []).append(warehouse)
    several = {agent: (of[0], of[1]) for agent, of in warehouses.items() if len(of) > 1}
    return dict(list(several.items())[:_SHARED])


def _user(user: str, name: str, agent: str, warehouse: str, *, manager: bool) -> str:
    mail = f"{user}@distribuzioniadriatiche.example"
    # JSON's quotes are YAML's too, and surnames hold apostrophes.
    quoted = json.dumps(name, ensure_ascii=False)
    restricted = f", WarehouseId: {warehouse}" if warehouse else ""
    layout = "CAPOAREA" if manager else "STANDARD"
    return (
        f"  {user}: {{UserName: {user}, Name: {quoted}, Email: {mail}, UserTypeId: SalesAgent,\n   "
        f" SalesAgentId: {agent}{restricted}, NumbersRegistryId: TABLET, LayoutId: {layout},"
        " Language: IT}"
    )


_USERS = """\
# Each agent's user. Two agents have a second one, for the warehouse of the van. Users that are
# taken out are archived.
User:"""

_OTHERS = """\
  admin: {UserName: admin, Name: Amministratore, UserTypeId: Admin, Language: IT}
  direzione: {UserName: direzione, Name: Direzione vendite, UserTypeId: Executive,
    NumbersRegistryId: SEDE, Language: IT}
  # Without a role below: can log in, and finds no function. `kimo settings load` warns of it.
  stagista: {UserName: stagista, Name: Stagista, UserTypeId: Executive, Language: IT}
"""

_ROLES = """\
# Permissions of several roles add up.
UserRole:
  admin: [ADMIN]
  direzione: [CAPOAREA]"""
