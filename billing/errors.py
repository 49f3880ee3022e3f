from studio_gateway.errors import DomainError


class BillingError(DomainError):
    """The till refused."""


class UnknownClient(BillingError):
    """There is no client {client_id}."""

    code = "unknown_client"


class ClientSuspended(BillingError):
    """This client is suspended; write to support."""

    code = "client_suspended"


class InsufficientCredits(BillingError):
    """This order costs {price} credits and the balance is {balance}."""

    code = "insufficient_credits"


class TooManyOpenJobs(BillingError):
    """This client has {open_jobs} open jobs, and at most {max_open_jobs} may be open at once."""

    code = "too_many_open_jobs"


class TooManyOrders(BillingError):
    """This client may place {jobs_per_minute} orders a minute; the next one fits in {retry_after} s."""

    code = "too_many_orders"


class NoPrice(BillingError):
    """No price is set for the workflow {workflow}; it cannot be ordered until there is one."""

    code = "no_price"


class BadAmount(BillingError):
    """{amount} is not an amount of credits that can be moved: a whole number from 1 to {limit}."""

    code = "bad_amount"


class BadAdjustment(BillingError):
    """{amount} is not an amount to adjust a balance by: a whole number from -{limit} to {limit}, and not 0."""

    code = "bad_adjustment"


class BalanceTooLow(BillingError):
    """{credits} credits cannot be taken off a balance of {balance}: it never goes below zero."""

    code = "balance_too_low"


class ReasonRequired(BillingError):
    """A reason is required."""

    code = "reason_required"


class BadText(BillingError):
    """The {what} must have at most {limit} characters, none of them NUL or an unpaired surrogate."""

    code = "bad_text"


class ReferenceTaken(BillingError):
    """The reference {reference} already stands for {what} of {amount} credits to this client."""

    code = "reference_taken"


class BadName(BillingError):
    """A client's name has from 1 to 200 characters, none of them NUL or an unpaired surrogate."""

    code = "bad_name"


class UnknownKey(BillingError):
    """There is no API key that begins with {prefix}."""

    code = "unknown_key"


class AmbiguousPrefix(BillingError):
    """{count} API keys begin with {prefix}; give the whole key."""

    code = "ambiguous_prefix"


class BadShopDomain(BillingError):
    """{domain!r} is not the domain of a shop, such as cap-and-co.myshopify.com."""

    code = "bad_shop_domain"


class ShopTaken(BillingError):
    """The shop {domain} belongs to another client."""

    code = "shop_taken"


class BadShopifySecret(BillingError):
    """A Shopify secret has from 1 to 200 characters, printable ASCII without spaces."""

    code = "bad_shopify_secret"


class ShopifySecretTaken(BillingError):
    """Another client has this Shopify secret, and a secret belongs to one client."""

    code = "shopify_secret_taken"


class RefundTooLarge(BillingError):
    """A refund of {credits} credits is more than the {most} that you may give back at once; ask Finance."""

    code = "refund_too_large"


class RefundsSpent(BillingError):
    """Of the {most} credits that you may refund a day {left} are left, and this takes {credits}; ask Finance."""

    code = "refunds_spent"
