def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold `text`: no NUL, no unpaired surrogate."""
    try:
        return b"\x00" not in text.encode("utf-8")
    except UnicodeEncodeError:
        return False
