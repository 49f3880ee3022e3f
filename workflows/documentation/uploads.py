from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from studio_gateway.api.documentation import CODES, refusals, response_headers
from studio_gateway.api.serializers import HTTPValidationError
from workflows.serializers import CreateUploadRequest, UploadSerializer
from workflows.storage import MAX_PHOTO_BYTES

KEY = "clients/1/uploads/01M81TZ7KMDA12DD86R558H2MB.png"
UPLOAD = {
    "key": KEY,
    "url": f"https://gateway.example.com/files/{KEY}?signature=WyJjbGllbnRzLzEvdXBsb2Fkc.a3vYq_ukGbJVPoo3S_KAV5vwx8lBi",
    "method": "PUT",
    "headers": {"Content-Type": "image/png", "Content-Length": "204288"},
    "expires_at": "2026-11-22T14:51:10Z",
}
FAULT = {
    "loc": ["body", "size"],
    "msg": f"Input should be less than or equal to {MAX_PHOTO_BYTES}",
    "type": "less_than_equal",
}
REFUSALS = {
    **refusals(
        "bad_request",
        "body_incomplete",
        "missing_api_key",
        "invalid_api_key",
        "client_suspended",
        "method_not_allowed",
        "body_too_large",
        "unsupported_media_type",
        "too_many_failed_authentications",
        "internal_error",
        "database_unavailable",
    ),
    422: OpenApiResponse(
        HTTPValidationError,
        description="The body is not what it should be.",
        examples=[OpenApiExample("size", value={"detail": [FAULT]})],
    ),
}
# What the URL answers that this gateway serves itself.
OF_THE_URL = (
    "upload_wrong_size",
    "not_found",
    "method_not_allowed",
    "upload_exists",
    "upload_expired",
    "upload_wrong_type",
    "too_many_uploads",
)

upload = extend_schema(
    operation_id="create_upload",
    summary="Upload a photo",
    description=(
        "Send the photo to the `url` of the answer, with its `method` and `headers` and nothing else: no API key, no "
        "form around it. A 200 says that it is kept; then its `key` is a `trial_image`. The URL takes one photo, once, "
        "of that type and size, until `expires_at`; of a body that broke off nothing is kept, and it may be sent again."
        "\n\nWhere the URL leads to object storage, S3 itself answers, in XML: 403 for another type or size and for a "
        "URL that expired, 411 for a body without a length, 412 for one that was used. Where it leads to "
        f"`/files/`, refusals are JSON as everywhere here: "
        f"{', '.join(f'{CODES[code][0]} `{code}`' for code in ('body_incomplete', *OF_THE_URL))}."
    ),
    tags=["Uploads"],
    request=CreateUploadRequest,
    parameters=response_headers(201, *REFUSALS),
    responses={
        201: OpenApiResponse(
            UploadSerializer,
            description="Where to send the photo, and the key that it will have.",
            examples=[OpenApiExample("upload", value=UPLOAD)],
        ),
        **REFUSALS,
    },
)
