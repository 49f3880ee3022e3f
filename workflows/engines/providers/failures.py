"""How asking a provider fails. What a provider wrote is for the log: clients are told in words of ours."""

import logging
from collections.abc import Iterable

from workflows.engines.base import EngineError

logger = logging.getLogger(__name__)

# What providers call it, and what clients are told.
_REASONS = {
    "sexual": "sexual content",
    "sexually_explicit": "sexual content",
    "violence": "violence",
    "hate": "hate",
    "hate_speech": "hate",
    "harassment": "harassment",
    "self-harm": "self-harm",
    "dangerous_content": "dangerous content",
    "illicit": "something illegal",
    "safety": "something unsafe",
    "image_safety": "something unsafe",
    "prohibited_content": "something that its rules forbid",
    "image_prohibited_content": "something that its rules forbid",
    "blocklist": "words that its rules forbid",
    "recitation": "something too close to existing work",
    "image_recitation": "something too close to existing work",
    "spii": "personal data",
    "jailbreak": "instructions where a description belongs",
}


class ProviderUnavailable(EngineError):
    """{provider} could not be reached, or did not answer: {why}."""

    code = "provider_unavailable"
    technical = True


class ProviderRateLimited(EngineError):
    """{provider} takes no more from this gateway at the moment."""

    code = "provider_rate_limited"
    technical = True


class ProviderWrongAnswer(EngineError):
    """{provider} answered, but with {what}."""

    code = "provider_wrong_answer"
    technical = True


class ProviderRejected(EngineError):
    """{provider} did not take the request that was made of this order. Order another model, or the built-in one; the
    gateway's operators can see what it said."""

    code = "provider_rejected"


class ModerationRefused(EngineError):
    """{provider} refused to make this image: it found {reason} in the order, or in what became of it. Describe it in
    other words, or order the built-in model."""

    code = "moderation_refused"


def refused(provider: str, reasons: Iterable[str]) -> ModerationRefused:
    """Return the failure for a refusal whose reasons the provider names so."""
    said = dict.fromkeys(_REASONS[reason.lower()] for reason in reasons if reason.lower() in _REASONS)
    return ModerationRefused(provider=provider, reason=" and ".join(said) or "something that its rules forbid")


def answered(provider: str, *, status: int, code: str, said: str, is_about_key: bool) -> EngineError:
    """Return the failure that an answer with an error status is, and log what it said.

    What is wrong with our key or our account there is wrong with no order: it may be mended before the next attempt.
    """
    # An answer about the key may quote it.
    logger.warning("%s answered %s %s: %s", provider, status, code, "" if is_about_key else said[:500])
    if is_about_key or status in (401, 403):
        return ProviderUnavailable(provider=provider, why="it does not accept this gateway's key")
    if status == 429:
        return ProviderRateLimited(provider=provider)
    if status in (408, 409, 425) or status >= 500:
        return ProviderUnavailable(provider=provider, why=f"it answered with the status {status}")
    return ProviderRejected(provider=provider)


def lost(provider: str, error: Exception, *, timed_out: bool) -> ProviderUnavailable:
    """Return the failure of a request that got no whole answer."""
    logger.warning("%s gave no answer: %s", provider, type(error).__name__)
    why = "it took too long" if timed_out else "the connection failed"
    return ProviderUnavailable(provider=provider, why=why)
