"""What somebody of the staff may do beyond what one permission says."""

from django.contrib.auth.models import AnonymousUser, User

from billing import allowances
from billing.allowances import Allowance


def may_refund(user: User | AnonymousUser) -> bool:
    return user.has_perm("workflows.refund_job") or user.has_perm("workflows.refund_job_without_limit")


def allowance_of(user: User | AnonymousUser) -> Allowance | None:
    """Return what bounds the refunds of `user`; None: nothing does."""
    return None if user.has_perm("workflows.refund_job_without_limit") else allowances.support()
