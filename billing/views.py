from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from billing import documentation
from billing.authentication import authenticated
from billing.bill import Entries, standing
from billing.serializers import CreditsSerializer, EntriesPage, EntriesQuery, as_csv
from studio_gateway.api.views import APIView


class CreditsView(APIView):
    """Where the client stands."""

    @documentation.credits
    def get(self, request: Request) -> Response:
        return Response(CreditsSerializer(standing(client=authenticated(request)[0])).data)


class EntriesView(APIView):
    """The client's ledger."""

    @documentation.entries
    def get(self, request: Request) -> HttpResponseBase:
        query = EntriesQuery.of(request)
        limit, cursor, wanted = query.pop("limit"), query.pop("cursor"), query.pop("format")
        entries = Entries(client=authenticated(request)[0], **query)
        accepted = request._request.get_preferred_type(["application/json", "text/csv"])
        if wanted == "csv" or (wanted is None and accepted == "text/csv"):
            headers = {"Content-Disposition": 'attachment; filename="credits.csv"', "Vary": "Accept"}
            return StreamingHttpResponse(as_csv(entries), content_type="text/csv; charset=utf-8", headers=headers)
        rows, following = entries.page(limit=limit, cursor=cursor)
        page = {"entries": rows, "next": following}
        return Response(EntriesPage(page).data, headers={"Vary": "Accept"})
