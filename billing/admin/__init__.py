from billing.admin.clients import ClientAdmin
from billing.admin.keys import ApiKeyAdmin
from billing.admin.ledger import LedgerEntryAdmin
from billing.admin.prices import PriceAdmin

__all__ = ["ApiKeyAdmin", "ClientAdmin", "LedgerEntryAdmin", "PriceAdmin"]
