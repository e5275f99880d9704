"""What is true everywhere; dev, test and prod hold differences only. Values: config.env."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from config import env as _env

ENV = _env.load()
BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = ENV.var_dir

# Evidently would otherwise report usage; a governance product tells nobody anything.
os.environ.setdefault("DO_NOT_TRACK", "1")

SECRET_KEY = ENV.secret_key
ALLOWED_HOSTS = ENV.allowed_hosts
BASE_URL = ENV.base_url
DEBUG = False

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "axes",
    "csp",
    "crispy_forms",
    "crispy_bootstrap5",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "rest_framework",
    "drf_spectacular",
    "embedded",
    "common",
    "audit",
    "accounts",
    "jobs",
    "outbound",
    "registry",
    "serving",
    "evaluation",
    "monitoring",
    "delivery",
    "governance",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "common.middleware.RequestIdMiddleware",
    # Machines with tokens are answered before anything that is there for browsers.
    "registry.mlflow.lane.MlflowLane",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SessionLimitsMiddleware",
    "accounts.middleware.WorkspaceMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

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
                "governance.context.navigation",
            ],
            "builtins": ["common.templatetags.ui"],
        },
    }
]

DATABASES = {
    "default": {
        **_env.database_settings(ENV.database_url),
        "ATOMIC_REQUESTS": False,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            **_env.database_settings(ENV.database_url)["OPTIONS"],
            # The sealer and migrations may take long; a web request or a job's query may not.
            "options": (
                ""
                if os.environ.get("DATABASE_ROLE", "app") != "app"
                else "-c statement_timeout=15000 -c lock_timeout=5000"
                # What is prepared (common/db.py, triggers) is a read or a write by index: planned
                # for its values again and again, it costs more than it does, and for a model with
                # thousands of versions it takes the wrong index.
                " -c plan_cache_mode=force_generic_plan"
            ),
            **(
                {"pool": {"min_size": 1, "max_size": 12, "timeout": 10}}
                if ENV.database_pool
                else {}
            ),
        },
    }
}
# Off behind a pooler that hands each transaction another connection and knows no statements.
DATABASE_PREPARE = ENV.database_prepare
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ENV.cache_url,
        "TIMEOUT": 300,
    }
}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no mail to addresses that strangers type in
# Failed sign-ins are axes' business, by (person, address): a limit by person alone locks out.
ACCOUNT_RATE_LIMITS: dict[str, str | None] = {"login_failed": None}
AXES_USERNAME_CALLABLE = "accounts.lockout.username"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "login"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_TEMPLATE = "account/locked_out.html"

SESSION_ENGINE = "accounts.sessions"
SESSION_IDLE_SECONDS = 30 * 60
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# Plotly adds one empty <style> and empty style attributes: the empty string's hash allows that.
_EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "style-src": ["'self'", _EMPTY],
        "style-src-attr": ["'unsafe-hashes'", _EMPTY],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-src": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = VAR_DIR / "storage"
STORAGES = {
    "default": _env.storage_settings(ENV.storage_url, VAR_DIR),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STORAGE_FLUSH = True  # a file that was acknowledged survives a power cut, not only a kill
ARTIFACT_MAX_BYTES = ENV.artifact_max_bytes
ARTIFACT_QUOTA_BYTES = ENV.artifact_quota_bytes  # for each workspace, with what is being uploaded
ARTIFACT_PART_BYTES = 64 * 1024 * 1024
ARTIFACT_UPLOAD_HOURS = 24  # without a new part, an upload is given up and its parts are removed

CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
DJANGO_TABLES2_TEMPLATE = "components/_tables2.html"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.TokenAuthentication",
        "accounts.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.CapabilityPermission"],
    "DEFAULT_PARSER_CLASSES": ["common.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "common.api.pagination.NewestFirst",
    "PAGE_SIZE": 50,
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "ALLOWED_VERSIONS": ["v1"],
    "EXCEPTION_HANDLER": "common.api.exceptions.handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_METADATA_CLASS": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Countersign",
    "DESCRIPTION": "Where a machine-learning model gets its second signature.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["accounts.api.permissions.CapabilityPermission"],
    "COMPONENT_SPLIT_REQUEST": True,
    # Fields of one name with different choices need names of their own, or a generated client gets
    # "State72cEnum".
    "ENUM_NAME_OVERRIDES": {
        "ModelKind": "registry.models.registered_model.Kind",
        "DatasetState": "registry.models.dataset.Dataset.State",
        "EvidenceKind": "evaluation.models.evidence.Evidence.Kind",
        "AskedEvidenceKind": "evaluation.params.OFFERED",
        "EvidenceState": "evaluation.models.evidence.Evidence.State",
        "AlertRuleKind": "monitoring.models.alert.AlertRule.Kind",
        "Severity": "governance.models.finding.Finding.Severity",
        "GateSeverity": "governance.models.gate_result.GateResult.Severity",
        "GateState": "governance.models.gate_result.GateResult.State",
        "ArtifactState": "registry.models.artifact.Artifact.State",
        "MessageState": "outbound.models.message.Message.State",
        "ImportState": "registry.models.import_run.ImportRun.State",
        "LinkKind": "registry.models.lineage.VersionLink.Kind",
        "EndpointSourceKind": "serving.models.source.EndpointSource.Kind",
        "VersionStatus": "registry.models.model_version.Status",
        "WebhookStatus": "registry.models.webhook.Webhook.Status",
        "WebhookEvent": "registry.api.serializers_webhooks.NAMES",
        "RequestStatus": "governance.models.promotion_request.PromotionRequest.Status",
    },
}

# Celery carries nudges only; the job table is the queue of record (RELIABILITY 4.2).
CELERY_BROKER_URL = ENV.broker_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 240
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

JOB_LEASE_SECONDS = 60.0
JOB_HANDLER_BUDGET_SECONDS = 120.0
JOB_DISPATCH_SECONDS = 5.0
JOB_MAX_ATTEMPTS = 5
JOB_RETRY_SECONDS = 5.0

# A client of the MLflow contract gives up 300 s after it began to register a version.
REGISTRATION_DEADLINE_SECONDS = 240.0

SEALER_POLL_SECONDS = 0.5
AUDIT_ORIGIN = f"{BASE_URL}/audit/1"
AUDIT_SIGNING_KEY = ENV.audit_signing_key
AUDIT_MAC_KEY = ENV.audit_mac_key
FIELD_KEYS = ENV.field_keys
OUTBOUND_ALLOW = ENV.outbound_allow
EMAIL_DIR = VAR_DIR / "mail"
EMAIL_URL = ENV.email_url
EMAIL_BACKEND, EMAIL_OPTIONS = _env.email_settings(ENV.email_url)
globals().update(EMAIL_OPTIONS)
DEFAULT_FROM_EMAIL = "Countersign <countersign@localhost>"
WEB_THREADS = 8

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "common.logs.RequestIdFilter"}},
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"},
        "json": {"()": "common.logs.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["request_id"],
            "formatter": "plain",
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"httpx": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}

ROLLOUT_TICK_SECONDS = 1.0
ROLLOUT_GATEWAY_TIMEOUT_SECONDS = 60.0
ROLLOUT_SEAL_TIMEOUT_SECONDS = 10.0

# What readers of a route may rely on; a route may say otherwise for itself.
ROUTE_LEASE_SECONDS = 24 * 3600
ROUTE_OFFLINE_SECONDS = 7 * 24 * 3600
ROUTE_MAX_AGE_SECONDS = 30
# A snapshot of an online learner is fetched into memory.
SNAPSHOT_MAX_BYTES = 64 * 1024 * 1024
SNAPSHOT_DEADLINE_SECONDS = 60.0
FLEET_SILENT_DAYS = 7
