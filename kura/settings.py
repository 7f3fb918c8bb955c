"""Settings, read from the environment (`.env.example` lists every name).

Nothing here is safe only in production: the defaults are the production values, and the demo
(`dev.py run`) loosens what it needs by setting variables. There is no default secret.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import environ
from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env_file = BASE_DIR / ".env"
if env_file.is_file():
    env.read_env(str(env_file))

DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("KURA_DEMO", default=False)  # plain HTTP on this machine, demo log-in shown
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "kura.admin",  # before django.contrib.admin: its templates win
    "kura.accounts",
    "kura.api",
    "patients",
    "journeys",
    "automation",
    "kura.demo",
    "bench",
    "django.contrib.admin.apps.SimpleAdminConfig",  # no autodiscovery: kura.admin.site lists all
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "axes",
    "django_q",
    "corsheaders",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework_api_key",
]

MIDDLEWARE = [
    "kura.request_ids.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "kura.health.ProbeMiddleware",  # needs neither a session nor a known host
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "kura.accounts.sessions.SessionEndMiddleware",
    "kura.accounts.middleware.OwnOrganizationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "kura.admin.htmx.TellRedirectsMiddleware",
    "axes.middleware.AxesMiddleware",  # last: it answers instead of the log-in page
]

ROOT_URLCONF = "kura.urls"
WSGI_APPLICATION = "kura.wsgi.application"
APPEND_SLASH = False  # a redirect would drop the body of a POST or PATCH

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database ---------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL")}
DATABASES["default"] |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60),
    "DISABLE_SERVER_SIDE_CURSORS": not env.bool("SERVER_SIDE_CURSORS", default=True),
    "CONN_HEALTH_CHECKS": True,  # a pool does not recover inside django-q2's forked workers
}
# A host that is gone never answers; without a limit each request would wait for two minutes.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 3)  # seconds
# What kura/prepared.py runs is prepared from its fifth run on a connection; None: never.
DATABASES["default"]["OPTIONS"].setdefault(
    "prepare_threshold", 5 if env.bool("PREPARED_STATEMENTS", default=True) else None
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 9},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600  # seconds that a link to choose a password works
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: whoever has to wait is not even compared
    "kura.accounts.backend.PeopleBackend",
]
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURES", default=5)  # of one name from one address
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_COOL_OFF_MINUTES", default=15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the page says when, and it stays true
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "kura.accounts.lockout.name_of"
AXES_CLIENT_IP_CALLABLE = "kura.accounts.lockout.address_of"
AXES_CLIENT_STR_CALLABLE = "kura.accounts.lockout.words_for_log"
AXES_LOCKOUT_CALLABLE = "kura.admin.door.locked_out"
AXES_SENSITIVE_PARAMETERS = ["username", "email", "csrfmiddlewaretoken", "next"]
AXES_DISABLE_ACCESS_LOG = True  # who logged in from where is nothing that is needed
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# --- language and time ------------------------------------------------------------------------
LANGUAGE_CODE = "es"
FORMAT_MODULE_PATH = ["kura.formats"]  # days and moments, as each language writes them
LANGUAGES = [("es", _("Spanish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- files ------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(BASE_DIR / ".kura" / "static"))()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if not (DEBUG or DEMO)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG or DEMO

# --- security ---------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not (DEBUG or DEMO))
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # probes speak plain HTTP inside the host
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0 if DEBUG or DEMO else 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_SECONDS > 0
SECURE_HSTS_PRELOAD = SECURE_HSTS_SECONDS > 0
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not (DEBUG or DEMO)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = env.int("SESSION_COOKIE_AGE", default=8 * 3600)  # seconds; a working day
SESSION_IDLE_AGE = env.int("SESSION_IDLE_AGE", default=3600)  # seconds without a request
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- HTTP API -----------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["kura.api.bodies.JsonParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [  # the first one says how a 401 is answered
        "kura.api.authentication.BearerAuthentication",
        "kura.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["kura.api.permissions.HasScope"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "kura.api.schema.Schema",
    "EXCEPTION_HANDLER": "kura.api.problems.handle",
    "URL_FORMAT_OVERRIDE": None,
    "FORMAT_SUFFIX_KWARG": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Kura OS Journeys",
    "DESCRIPTION": "Where each patient stands in each journey. Conventions: docs/api.md.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "CONTACT": {"name": "Kura OS"},
    "SERVERS": [{"url": "/", "description": "The server that this description comes from."}],
    "TAGS": [
        {"name": "admin", "description": "What runs by the clock, started by hand."},
        {"name": "auth", "description": "Who calls: sessions and tokens."},
        {"name": "events", "description": "What happened, told once, and what it caused."},
        {"name": "journey-logs", "description": "Every move there was, for ever."},
        {"name": "journey-templates", "description": "The journeys of a practice: their stages."},
        {"name": "journeys", "description": "Who is where: the worklist."},
        {"name": "patients", "description": "Patients, and their way through their journeys."},
        {"name": "rules", "description": "WHEN an event, IF conditions, THEN actions."},
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "string", "format": "uuid"}},
    "COMPONENT_SPLIT_REQUEST": True,  # what is sent and what is answered are different objects
    "COMPONENT_SPLIT_PATCH": False,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
    ],
    "ENUM_NAME_OVERRIDES": {
        "EventStatus": "automation.models.dispatch.DispatchStatus.values",
        "StageStatus": "journeys.models.template.StageStatus.values",
        "Turn": "journeys.models.template.Turn.values",
        "RunStatus": "automation.models.run.RunStatus.values",
        "MessageState": "automation.models.message.MessageState.values",
        "Audience": "automation.models.message.Audience.values",
        "StepState": "kura.standing.api.journey.STATES",
        "NeededActionCode": "kura.standing.api.journey.NEEDED",
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,  # it would say each value twice
}
# A front-end on another host names itself here; without it browsers keep other sites out.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_ALLOW_CREDENTIALS = bool(CORS_ALLOWED_ORIGINS)
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ALLOW_HEADERS = [
    *default_headers,
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "X-Request-ID",
]
KURA_RATES = {  # 600/min, or off
    "user": env.str("KURA_RATE_USER", default="600/min"),
    "integration": env.str("KURA_RATE_INTEGRATION", default="1200/min"),
    "login": env.str("KURA_RATE_LOGIN", default="10/min"),
    "forgotten": env.str("KURA_RATE_FORGOTTEN", default="6/hour"),
    "check": env.str("KURA_RATE_CHECK", default="6/min"),
}
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105  a model's name
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=30),
    "TOKEN_PREFIX": "kj_",
    "AUTH_HEADER_PREFIX": "Bearer",
}

# --- the clock and the doorbell ---------------------------------------------------------------
Q_CLUSTER = {
    "name": "kura",
    "orm": "default",
    "broker_class": "automation.broker.AtMostOnce",  # a task that kills its worker ends with it
    "workers": env.int("KURA_WORKERS", default=2),
    "queue_limit": 2,  # tasks fetched ahead; what is fetched is lost with its cluster
    "timeout": 45,  # seconds a task may take; ours take half of it
    "retry": 60,  # django-q2 wants it above `timeout`; AtMostOnce offers nothing again
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "poll": 0.2,  # seconds; an idle cluster and its database need 1.5 % of a core
    "bulk": 1,
    "save_limit": -1,  # no row for each task that went well; failures are kept (tasks.tidy)
    "label": "Django Q",
}

# --- mail ---------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="kura@localhost")
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=10)  # seconds; the whole mail gets 1.2 times that
EMAIL_FILE_PATH = env.str("KURA_MAIL_DIR", default=str(BASE_DIR / ".kura" / "mail"))
MAIL_REACHES_PEOPLE = bool(env.str("EMAIL_URL", default=""))  # the demo writes files
if MAIL_REACHES_PEOPLE:
    vars().update(env.email_url("EMAIL_URL"))
    EMAIL_PORT = vars()["EMAIL_PORT"] or (
        587 if vars().get("EMAIL_USE_TLS") else 465 if vars().get("EMAIL_USE_SSL") else 25
    )
    if vars()["EMAIL_BACKEND"].endswith(".smtp.EmailBackend"):
        EMAIL_BACKEND = "automation.smtp.EmailBackend"  # Django's, and it says how far it came
elif DEMO:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
else:
    EMAIL_BACKEND = "automation.smtp.NotSetUp"

# --- log output: no personal data, one line a fact ----------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    # A line for each task would be three for each event, in the web process too.
    # axes tells of each log-in; what counts are the failures, and it names nobody (lockout.py).
    "loggers": {"django-q": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
