from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest

from workflows.storage import signature_holds


def file_view(request: HttpRequest, key: str) -> FileResponse:
    """Serve an output of local storage to whoever holds its signed URL."""
    if not signature_holds(key=key, signature=request.GET.get("signature", "")):
        raise Http404
    try:
        return FileResponse(default_storage.open(key))
    except OSError as error:
        raise Http404 from error
