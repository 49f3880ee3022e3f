from django import forms
from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.decorators import display

from billing.models import Price


class PriceForm(forms.ModelForm):
    class Meta:
        help_texts = {
            "workflow": "The name of a workflow on offer.",
            "model": "Empty: any model. A price for a model beats one for a pixel class.",
            "pixel_class": "512, 1K, 2K or 4K. Empty: any size.",
            "credits": "0: free.",
        }


@admin.register(Price)
class PriceAdmin(ModelAdmin):
    form = PriceForm
    list_display = ["workflow", "any_model", "any_size", "credits"]
    search_fields = ["workflow__istartswith", "model__istartswith", "pixel_class__iexact"]
    search_help_text = "Beginning of the workflow or model, or pixel class"

    @display(description="Model", ordering="model")
    def any_model(self, price: Price) -> str:
        return price.model or "any"

    @display(description="Pixel class", ordering="pixel_class")
    def any_size(self, price: Price) -> str:
        return price.pixel_class or "any"
