"""Settings of the gateway, read from the environment (and `.env`); `.env.example` lists the variables.

A run is *local* while `PUBLIC_URL` points at this machine. Only a local run makes up what it was not told: secrets,
which are generated once into the data folder, and the hosts it answers to.
"""

import os
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp import constants as csp
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy

from studio_gateway.secrets import kept_secret

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

# Embedded database, local storage, generated secrets.
DATA_DIR = Path(env("STUDIO_DATA_DIR", default=str(BASE_DIR / "var"))).resolve()

# Where the web process listens, and how clients reach it; workers sign URLs with the latter.
HOST = env("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
PUBLIC_URL = env("PUBLIC_URL", default=f"http://{HOST}:{PORT}").rstrip("/")
LOCAL = urlsplit(PUBLIC_URL).hostname in {"127.0.0.1", "localhost", "::1"}

DEBUG = env.bool("DEBUG", default=False)
if LOCAL:
    SECRET_KEY = env("SECRET_KEY", default="") or kept_secret(DATA_DIR, name="secret_key")
    # What encrypts secrets at rest, newest first: long random texts. The first encrypts, all of them decrypt.
    FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[]) or [
        kept_secret(DATA_DIR, name="field_encryption_key")
    ]
    ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
else:
    SECRET_KEY = env("SECRET_KEY")
    FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS")
    ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[urlsplit(PUBLIC_URL).hostname])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[PUBLIC_URL])

# The reverse proxies, as addresses or networks, whose X-Forwarded-For is believed; every other's is not looked at.
TRUSTED_PROXIES = [ip_network(proxy) for proxy in env.list("TRUSTED_PROXIES", default=[])]

# Whoever bears it may read /metrics; without one, only who asks on this machine itself.
METRICS_TOKEN = env("METRICS_TOKEN", default="")

# How many credits whoever may refund up to a limit (the role Support) gives back: in one refund, and in a UTC day.
SUPPORT_REFUND_CREDITS = env.int("SUPPORT_REFUND_CREDITS", default=50)
SUPPORT_REFUND_CREDITS_A_DAY = env.int("SUPPORT_REFUND_CREDITS_A_DAY", default=500)

# Image providers: with a key, their models can be ordered. The URLs lead through a proxy.
GEMINI_API_KEY = env("GEMINI_API_KEY", default="")
GEMINI_BASE_URL = env("GEMINI_BASE_URL", default="") or "https://generativelanguage.googleapis.com"
OPENAI_API_KEY = env("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env("OPENAI_BASE_URL", default="") or "https://api.openai.com/v1"

# Whom to tell what somebody must see to, and through which server (`smtp://…`); all of it is logged as well.
ALERT_EMAIL = env("ALERT_EMAIL", default="")
vars().update(env.email("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = f"studio-gateway@{urlsplit(PUBLIC_URL).hostname}"
EMAIL_TIMEOUT = 10

CORES = os.cpu_count() or 1
# Python uses one core a process. On two cores both pay, although they share them with the worker and the database.
WEB_PROCESSES = env.int("WEB_PROCESSES", default=min(CORES, max(2, CORES // 2)))
WEB_THREADS = env.int("WEB_THREADS", default=4)
WORKER_PROCESSES = env.int("WORKER_PROCESSES", default=CORES)
# Processes of one worker that send webhooks. Most of them wait, for endpoints that take long.
WEBHOOK_PROCESSES = 8

INSTALLED_APPS = [
    "studio_gateway",
    "billing",
    "requestlog",
    "workflows",
    "unfold",
    "unfold.contrib.filters",
    # Without autodiscovery, which the URLs do: commands and workers need not wait for the console's code.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    # Without it, indexes cannot name an operator class.
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "pgtrigger",
]

MIDDLEWARE = [
    "studio_gateway.middleware.client_address",
    "requestlog.middleware.RequestLogMiddleware",
    "studio_gateway.middleware.ContentSecurityPolicy",
    "workflows.probes.probes",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # What follows is not run for the API.
    "studio_gateway.middleware.Api",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

ROOT_URLCONF = "studio_gateway.urls"
WSGI_APPLICATION = "studio_gateway.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Without DATABASE_URL the project starts its own PostgreSQL in the data folder.
if env("DATABASE_URL", default=""):
    DATABASES = {"default": env.db("DATABASE_URL", engine="studio_gateway.postgres")}
else:
    DATABASES = {
        "default": {"ENGINE": "studio_gateway.embedded", "NAME": "studio", "HOST": str(DATA_DIR)},
    }
# Each thread of the web process keeps its connection, and so does each process of a worker.
DATABASES["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
# A process or host that stands still in the middle of a transaction must not hold its locks for ever: not even the
# sweep would pass. Ours are over in milliseconds. What DATABASE_URL says comes later, and counts.
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"].setdefault("prepare_threshold", 2)  # for studio_gateway/prepared.py
DATABASES["default"]["OPTIONS"]["options"] = " ".join(
    ["-c idle_in_transaction_session_timeout=10s", DATABASES["default"]["OPTIONS"].get("options", "")]
).strip()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# How long a signed URL of an output holds.
OUTPUT_URL_SECONDS = 3600
# Object storage, with the credentials and the region that boto3 finds (AWS_ACCESS_KEY_ID and so on); without a bucket,
# files live below the data folder. Clients fetch from the endpoint itself.
S3_BUCKET = env("S3_BUCKET", default="")
S3_ENDPOINT_URL = env("S3_ENDPOINT_URL", default="")
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "workflows.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT_URL or None,
            "querystring_expire": OUTPUT_URL_SECONDS,
        },
    }
    if S3_BUCKET
    else {
        "BACKEND": "workflows.storage.SignedFileSystemStorage",
        "OPTIONS": {"location": DATA_DIR / "storage", "base_url": f"{PUBLIC_URL}/files/"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "studio_gateway.formats"
USE_TZ = True
STATIC_URL = "/static/"
# The admin's files are served from the packages they come in: nothing to collect, nothing to forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# The largest request body that is read, in bytes.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# Counted in the memory of each web process: what one client may read, and what one address may get wrong.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10_000}}}
READS_PER_MINUTE = 6000
FAILED_AUTHENTICATIONS_PER_MINUTE = 600

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["billing.authentication.BearerAuthentication"],
    "DEFAULT_THROTTLE_CLASSES": ["studio_gateway.api.throttling.ReadThrottle"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["studio_gateway.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "studio_gateway.api.negotiation.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "studio_gateway.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
}

# The API document, written as the published contract is.
SPECTACULAR_SETTINGS = {
    "TITLE": "Studio Gateway",
    "VERSION": "1.0",
    "OAS_VERSION": "3.1.0",
    "GENERIC_ADDITIONAL_PROPERTIES": "bool",
    "ENUM_NAME_OVERRIDES": {"JobStatus": "workflows.models.Job.Status"},
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "studio_gateway.api.documentation.introduction",
        "studio_gateway.api.openapi.as_published",
    ],
}


def console_page(title: str, icon: str, page: str) -> dict[str, Any]:
    """A link of the staff console's sidebar to a list, for who may see that list; `page` is like `billing_client`."""
    app, model = page.split("_")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{page}_changelist"),
        "permission": lambda request: request.user.has_perm(f"{app}.view_{model}"),
    }


def console_file(name: str) -> Callable[[Any], str]:
    """What every page of the staff console loads; unfold calls it with the request."""
    return lambda request: static(f"studio_gateway/{name}")


UNFOLD = {
    "SITE_TITLE": "Studio Gateway",
    "SITE_HEADER": "Studio Gateway",
    "SITE_SUBHEADER": "Staff console",
    "SITE_SYMBOL": "photo_library",
    "SITE_URL": None,
    "LOGIN": {"form": "studio_gateway.sign_in_page.SignInForm"},
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": console_file("favicon.svg")}],
    "STYLES": [
        console_file(f"{name}.css")
        for name in ("admin", "admin/unfold", "admin/client", "admin/dashboard", "admin/job_list")
    ],
    "SCRIPTS": [console_file(f"{name}.js") for name in ("admin", "admin/unfold", "admin/secret")],
    "DASHBOARD_CALLBACK": "workflows.admin.dashboard.figures",
    "SIDEBAR": {
        "navigation": [
            {"title": "Jobs", "items": [console_page("Jobs", "image", "workflows_job")]},
            {"title": "Money", "items": [console_page("Ledger", "receipt_long", "billing_ledgerentry")]},
            {
                "title": "Access",
                "items": [
                    console_page("Clients", "storefront", "billing_client"),
                    console_page("API keys", "key", "billing_apikey"),
                    console_page("Staff", "person", "auth_user"),
                    console_page("Groups", "group", "auth_group"),
                ],
            },
            {
                "title": "Catalogue",
                "items": [
                    console_page("Workflows", "account_tree", "workflows_workflow"),
                    console_page("Image models", "auto_awesome", "workflows_imagemodel"),
                    console_page("Prices", "sell", "billing_price"),
                ],
            },
            {
                "title": "Webhooks",
                "items": [
                    console_page("Endpoints", "webhook", "workflows_webhookendpoint"),
                    console_page("Deliveries", "send", "workflows_webhookdelivery"),
                ],
            },
            {
                "title": "Logs",
                "items": [
                    console_page("Request logs", "swap_horiz", "requestlog_requestlog"),
                    console_page("Reconciliations", "fact_check", "workflows_reconciliation"),
                ],
            },
        ],
    },
}

# django-q2 only runs the processes: the job table is the queue, and what becomes of a job is written there.
Q_CLUSTER = {
    "name": "jobs",
    "broker_class": "workflows.broker.JobBroker",
    "orm": "default",
    "workers": WORKER_PROCESSES,
    # Each job brings its own time limit; this one is for other tasks. `retry` must exceed it, and has no other effect.
    "timeout": 900,
    "retry": 960,
    # One job waits in the cluster at most: what waits in the table is to be had by every worker, in fair order.
    "queue_limit": 1,
    "bulk": 1,
    # An order waits for half of it. To look more often, an idle worker would take more than 2 % of a core.
    "poll": 0.033,
    # Other values break the count with which a process that ignores its time limit is killed.
    "guard_cycle": 0.5,
    # Attempts are counted in the job's row, which also survives a killed process.
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    # After so many jobs what libraries have leaked is given back. One process is missing then for up to half a second.
    "recycle": 10_000,
    "scheduler": False,
    # Webhooks have processes of their own, so that no endpoint holds up an image.
    "ALT_CLUSTERS": {
        "webhooks": {
            "broker_class": "workflows.webhooks.broker.DeliveryBroker",
            "workers": WEBHOOK_PROCESSES,
            # Nobody waits for a webhook as for an image: to look seldom costs a quarter as much while nothing is due.
            "poll": 0.2,
            # More than an attempt can take, which has a time-out of its own.
            "timeout": 30,
            "recycle": 10_000,
        }
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "studio_gateway.logs.Formatter",
            "format": "{asctime} {levelname} {name} {request_id}{message}",
            "style": "{",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        # Their INFO is some lines a job.
        "django-q": {"level": "WARNING"},
        "google_genai": {"level": "WARNING"},
        # A 4xx is logged as a row of request_logs.
        "django.request": {"level": "ERROR"},
        # Anybody can send a made-up Host, and each would be a traceback.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

# What answers may load, run and be shown in: nothing, unless their view says more (django-csp's decorators).
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.NONE],
        "base-uri": [csp.NONE],
        "form-action": [csp.NONE],
        "frame-ancestors": [csp.NONE],
    }
}
# In the console: unfold's Alpine evaluates what its attributes say, and its pages bring their colours as a style.
# Images may come from where the files are as well (studio_gateway/middleware.py).
CONSOLE_POLICY = {
    "default-src": [csp.SELF],
    "script-src": [csp.SELF, csp.UNSAFE_EVAL],
    "style-src": [csp.SELF, csp.UNSAFE_INLINE],
    "connect-src": [csp.SELF],
    "object-src": [csp.NONE],
    "base-uri": [csp.NONE],
    "form-action": [csp.SELF],
    "frame-ancestors": [csp.NONE],
}

# Staff sign in once a working day. A cookie that is SameSite=Lax comes along when a link in a ticket is followed.
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
# HSTS for subdomains and preloading are for the owner of the domain to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
if not LOCAL:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

if not FIELD_ENCRYPTION_KEYS or any(len(key) < 32 for key in FIELD_ENCRYPTION_KEYS):
    raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS must be random texts of at least 32 characters each.")
if not 0 < PORT < 65536:
    raise ImproperlyConfigured("PORT must be between 1 and 65535.")
