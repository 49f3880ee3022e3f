import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from studio_gateway.api.fields import Filled, StrictInteger, StrictSerializer
from workflows.engines.photo_formats import PHOTO_FORMATS
from workflows.storage import MAX_PHOTO_BYTES
from workflows.uploads import Upload


@extend_schema_field({"type": "string", "pattern": f"^({'|'.join(re.escape(kind) for kind in PHOTO_FORMATS)})$"})
class PhotoType(Filled):
    """The media type of a photo that can be read."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text not in PHOTO_FORMATS:
            self.fail("enum", expected=" or ".join(repr(kind) for kind in PHOTO_FORMATS))
        return text


class CreateUploadRequest(StrictSerializer):
    """A photo that is to be uploaded."""

    content_type = PhotoType(
        help_text=f"Media type of the photo: one of {', '.join(f'`{kind}`' for kind in PHOTO_FORMATS)}."
    )
    size = StrictInteger(min_value=1, max_value=MAX_PHOTO_BYTES, help_text="Bytes of the photo, exactly.")


class UploadSerializer(serializers.Serializer[Upload]):
    """Where to send a photo."""

    key = serializers.CharField(help_text="The photo's key, for `trial_image`, once it was sent.")
    url = serializers.CharField(help_text="Where to send it, without an API key.")
    method = serializers.CharField(help_text="How: `PUT`.")
    headers = serializers.DictField(
        child=serializers.CharField(), help_text="Headers to send it with, all of them, as they are."
    )
    expires_at = serializers.DateTimeField(help_text="Until when the URL takes it, in UTC.")
