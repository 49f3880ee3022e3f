"""Telling staff what somebody should see to."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

logger = logging.getLogger(__name__)


def tell_staff(subject: str, text: str) -> None:
    """Log it, and send it to ALERT_EMAIL if there is one; a mail that cannot be sent is logged too."""
    logger.critical("%s: %s", subject, text)
    if not settings.ALERT_EMAIL:
        return
    try:
        send_mail(f"Studio Gateway: {subject}", text, None, [settings.ALERT_EMAIL])
    except (OSError, SMTPException):
        logger.exception("no mail was sent to ALERT_EMAIL")
