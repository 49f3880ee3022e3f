from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.authentication import authenticated
from studio_gateway.api.views import APIView
from workflows import documentation, uploads
from workflows.serializers import CreateUploadRequest, UploadSerializer
from workflows.views.files import file_view


class UploadsView(APIView):
    """Where to send a photo."""

    @documentation.upload
    def post(self, request: Request) -> Response:
        body = CreateUploadRequest().run_validation(request.data)
        upload = uploads.offer(client=authenticated(request)[0], **body)
        return Response(UploadSerializer(upload).data, status=status.HTTP_201_CREATED)


@extend_schema(exclude=True)
class FileView(APIView):
    """A file of local storage, for whoever holds a URL that was signed to read or to write it."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, key: str) -> HttpResponseBase:
        return file_view(request._request, key)

    def put(self, request: Request, key: str) -> Response:
        uploads.receive(key=key, request=request._request)
        return Response()
