"""Django's settings, all of them from ``$RETINUE_HOME`` and ``RETINUE_*``. Weak ones stop the start."""

from __future__ import annotations

import os
from pathlib import Path

from retinue.server.installation import Installation

INSTALLATION = Installation.from_environment(os.environ)

DEBUG = False
SECRET_KEY = INSTALLATION.secret_key
ALLOWED_HOSTS = list(INSTALLATION.hosts)
ROOT_URLCONF = "retinue.server.urls"
DATABASES = {"default": INSTALLATION.database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True
# Texts of libraries come in the languages that ours have, so that no page mixes two.
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
# What a person chose in their menu; without it, what their browser asks for.
LANGUAGE_COOKIE_NAME = "retinue-language"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "retinue.server.ledger",
    "retinue.server.policies",
    "retinue.server.directory",
    "retinue.server.access",
    "retinue.server.credentials",
    "retinue.server.nodes",
    "retinue.server.traffic",
    "retinue.server.governance",
    "retinue.server.notifications",
    "retinue.server.api",
    "retinue.server.console",
]

MIDDLEWARE = [
    "retinue.server.api.forwarded.Forwarded",
    "retinue.server.console.security.SecurityHeaders",
    "retinue.server.api.intake.Intake",
    "retinue.server.api.limits.CallTime",
    "retinue.server.console.security.SameOriginForms",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "retinue.server.console.sessions.SessionLimits",
    "retinue.server.console.second_step.EnrolFirst",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "console" / "templates"],
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

# --- sign-in: people only, through django-allauth -------------------------------------------------------
AUTH_USER_MODEL = "directory.Login"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "retinue.server.console.signin.Adapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
# Failed sign-ins are counted by ``console.failures``, for all processes; guesses of codes by the library, in
# the memory of each.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": None,
    "setup": "20/5m/ip",
    "invitation": "20/5m/ip",
    "passkey": "60/5m/ip",
    "sso": "60/5m/ip",
    "device_begin": "30/5m/ip",
    "device_code": "20/5m/ip,20/5m/user",
}
MFA_ADAPTER = "retinue.server.console.factors.Adapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_RECOVERY_CODE_DIGITS = 12
# Clocks of phones differ: the code before and the next one are taken too, each code once.
MFA_TOTP_TOLERANCE = 1
MFA_TOTP_ISSUER = "Retinue"
# The library takes subdomains for us too, and http://localhost for nobody; ``proving.check_origin`` takes the
# very origin of the page, and browsers know passkeys only where a page is secure.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = "/login/"
# Without a mail server nothing is mailed.
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
if INSTALLATION.mail is not None:
    globals().update(INSTALLATION.mail.options())
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"

# --- cookies: __Host- and Secure everywhere but on loopback, or where the operator says so explicitly ---
_SECURE = INSTALLATION.secure_cookies
SESSION_ENGINE = "retinue.server.console.store"
SESSION_COOKIE_NAME = "__Host-retinue-session" if _SECURE else "retinue-session"
SESSION_COOKIE_SECURE = _SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_NAME = "__Host-retinue-csrf" if _SECURE else "retinue-csrf"
CSRF_COOKIE_SECURE = _SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = list(INSTALLATION.origins)

# --- limits of the body; the API has its own, smaller ones ----------------------------------------------
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
APPEND_SLASH = False

# Refused requests are answers, not events of the log; what is unexpected is logged once, where it is handled.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "django.request": {"level": "CRITICAL", "propagate": False},
        "django.security": {"level": "CRITICAL", "propagate": False},
        "fido2": {"level": "WARNING"},
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
}
