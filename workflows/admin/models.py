from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from workflows.catalogue import DEFINITIONS
from workflows.engines.sizes import PIXEL_CLASSES, RATIOS
from workflows.models import ImageModel


def _several(choices: Iterable[str], help_text: str) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        choices=[(choice, choice) for choice in choices],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text=help_text,
    )


class ImageModelForm(forms.ModelForm):
    ratios = _several(RATIOS, "Those that it makes itself; what lies between two is cut from the nearer.")
    resolutions = _several(PIXEL_CLASSES, "Those that it makes; a size in pixels counts as the next larger one.")

    def clean_name(self) -> str:
        """Write it as orders are compared with it."""
        return str(self.cleaned_data["name"]).strip().lower()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        definition = DEFINITIONS.get(cleaned.get("workflow", ""))
        if definition is None:
            self.add_error("workflow", f"There is: {', '.join(DEFINITIONS)}.")
        else:
            known = [name for name, engine in definition.engines.items() if engine.key_setting]
            if cleaned.get("engine") not in known:
                self.add_error("engine", f"Of {definition.name} there is: {', '.join(known)}.")
        return cleaned


@admin.register(ImageModel)
class ImageModelAdmin(ModelAdmin):
    form = ImageModelForm
    list_display = ["name", "workflow", "engine", "enabled", "has_key", "shut_down_on"]
    search_fields = ["workflow", "name", "vendor_id"]
    search_help_text = "Workflow, name or provider's id"

    @display(description="Key is set", boolean=True)
    def has_key(self, model: ImageModel) -> bool:
        """Whether this process has the key of its provider; workers need it as well."""
        definition = DEFINITIONS.get(model.workflow)
        engine = definition and definition.engines.get(model.engine)
        return bool(engine and engine.is_configured)
