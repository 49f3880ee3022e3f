from rest_framework import views


class APIView(views.APIView):
    """A view of the API: it has the methods that it defines, and not DRF's OPTIONS."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
