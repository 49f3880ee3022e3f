from django.urls import path

from billing.views import CreditsView, EntriesView

urlpatterns = [
    path("v1/credits", CreditsView.as_view(), name="credits"),
    path("v1/credits/entries", EntriesView.as_view(), name="entries"),
]
