"""What outputs are called: their names end their keys and their URLs, by which browsers save them."""

import unicodedata

# Of a name without its number and extension. The bytes leave room for these, for a thumbnail's ending, and for what a
# storage adds to a name that is taken: file systems take 255.
MOST_CHARACTERS, MOST_BYTES = 80, 200
# What is read of a longer text.
_LONGEST_TEXT = 1000


def slug(text: str) -> str:
    """Return a text's letters and digits of whatever script, in lower case, with a hyphen for all between them.

    Empty where there are none.
    """
    kept: list[str] = []
    for character in unicodedata.normalize("NFC", text[:_LONGEST_TEXT].lower()):
        kind = unicodedata.category(character)
        in_a_word = bool(kept) and kept[-1] != "-"
        # Vowel signs and accents belong to their letter; those that choose an emoji's colour stand behind a hyphen.
        if kind[0] in "LN" or (kind in ("Mn", "Mc") and in_a_word):
            kept.append(character)
        elif in_a_word:
            kept.append("-")
    name = "".join(kept)[:MOST_CHARACTERS]
    return name.encode()[:MOST_BYTES].decode(errors="ignore").strip("-")


def output_name(*, display_name: str, given: str, number: int, of: int, extension: str) -> str:
    """Return the file name of output `number`, from 1, of so many: made of `display_name`, else `given` by the engine.

    Outputs that share a display name are numbered.
    """
    name = slug(display_name)
    if name and of > 1:
        name = f"{name}-{number}"
    return f"{name or given}.{extension}"


def thumbnail_name(name: str) -> str:
    """Return the file name of the thumbnail of an output; no output has it, whose names have but one dot."""
    return f"{name.rpartition('.')[0]}.thumbnail.webp"
