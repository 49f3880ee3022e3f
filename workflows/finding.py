"""What staff find jobs by in their specs, written as the indexes of the job table hold it.

These texts are free, and may be a megabyte: an index holds the first KEPT characters.
"""

from django.db.models import Q, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Collate, Left, Lower
from django.db.models.lookups import Exact, StartsWith

KEPT = 64


def spec_text(name: str) -> KeyTextTransform:
    return KeyTextTransform(name, "spec")


BRAND = Left(spec_text("pilot_brand"), KEPT)
HAS_BRAND = Q(spec__pilot_brand__gt="")
# The built-in engine's where the spec names none.
MODEL = Coalesce(Left(spec_text("image_model"), KEPT), Value("built-in"), output_field=TextField())
# In collation "C" what begins alike stands together, and in the order in which it is read.
DISPLAY_NAME = Collate(Lower(Left(spec_text("display_name"), KEPT)), "C")
HAS_DISPLAY_NAME = Q(spec__display_name__gt="")


def has_brand(text: str) -> Q:
    return HAS_BRAND & _is(BRAND, spec_text("pilot_brand"), text)


def has_model(text: str) -> Q:
    return _is(MODEL, spec_text("image_model"), text)


def named_like(text: str) -> Q:
    """Select jobs whose display name begins with `text`, in whichever case."""
    found = HAS_DISPLAY_NAME & Q(StartsWith(DISPLAY_NAME, Lower(Value(text[:KEPT]))))
    return found & Q(StartsWith(Lower(spec_text("display_name")), Lower(Value(text)))) if len(text) > KEPT else found


def _is(kept: Combinable, whole: Combinable, text: str) -> Q:
    found = Q(Exact(kept, text[:KEPT]))
    return found & Q(Exact(whole, text)) if len(text) >= KEPT else found
