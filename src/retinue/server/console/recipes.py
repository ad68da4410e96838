"""Where a key is used: what to write there. A recipe shows a mask; only an explicit act copies the token."""

from __future__ import annotations

from dataclasses import dataclass

#: Stands where the token belongs.
MASK = "••••••••••••"

_HEADERS = {
    "bearer": "Authorization: Bearer {token}",
    "apikey": "Authorization: ApiKey {token}",
    "basic_token": "Authorization: Basic {token}",
    "basic_pair": "Authorization: Basic {token}",
}
_TEXTS: dict[str, tuple[str, str]] = {
    "env": (".env", "{variable}={token}\n"),
    "curl": ("curl", 'curl --fail -H "{header}" https://api.example/reports\n'),
    "python": (
        "Python",
        'import os\nimport urllib.request\n\nrequest = urllib.request.Request("https://api.example/reports")\n'
        'name, value = f"{header_variable}".split(": ", 1)\nrequest.add_header(name, value)\n'
        "print(urllib.request.urlopen(request).read())\n\n# export {variable}={token}\n",
    ),
    "github": (
        "GitHub Actions",
        "# gh secret set {variable}   (then paste: {token})\n"
        "env:\n  {variable}: ${{{{ secrets.{variable} }}}}\n",
    ),
    "kubernetes": (
        "Kubernetes",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  {variable}: {token}\n",
    ),
    "airflow": (
        "Airflow",
        "airflow connections add {name} --conn-type http --conn-host https://api.example \\\n"
        "  --conn-password '{token}'\n",
    ),
    "dbt": (
        "dbt",
        "# profiles.yml\ntoken: \"{{{{ env_var('DBT_ENV_SECRET_{variable}') }}}}\"\n"
        "# DBT_ENV_SECRET_{variable}={token}\n",
    ),
    "adf": (
        "Data Factory",
        "az keyvault secret set --vault-name <vault> --name {name} --value '{token}'\n"
        "# Linked service: authentication anonymous, header from this Key Vault secret\n",
    ),
    "docker": ("Docker", "printf '%s' '{token}' | docker secret create {name} -\n"),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """One place: how it is called, and what is written there."""

    place: str
    label: str
    text: str


def recipes(account: str, scheme: str) -> list[Recipe]:
    """Return the recipes for a key of ``account``, presented by ``scheme``."""
    plain = (
        "".join(each if each.isascii() and each.isalnum() else "_" for each in account).strip("_") or "api"
    )
    header = _HEADERS.get(scheme, _HEADERS["bearer"])
    named = {
        "variable": f"{plain.upper()}_TOKEN",
        "name": plain.lower().replace("_", "-"),
        "token": MASK,
        "header": header.format(token=MASK),
        "header_variable": header.format(token="{os.environ['" + plain.upper() + "_TOKEN']}"),
    }
    return [Recipe(place, label, text.format(**named)) for place, (label, text) in _TEXTS.items()]
