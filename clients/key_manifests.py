"""The two manifests that carry a mesh's keys and passwords, as text: pure, so the same secrets give the same bytes.

Scalars are written as JSON, which is YAML: nothing can break out of its place.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from clients.tokens import AUDIENCE, ISSUER

NAMESPACE = "mesh"
_HEADER = "# Made by `python -m clients keys` from secrets/. Not for git, and not for editing: it is made again.\n"

Jwks: TypeAlias = Mapping[str, Sequence[Mapping[str, str]]]


def request_authentication(jwks: Jwks) -> str:
    """What the gateway accepts as a token: of our issuer and audience, signed by a key of `jwks`."""
    return f"""{_HEADER}apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata:
  name: gateway-jwt
  namespace: {NAMESPACE}
spec:
  selector:
    matchLabels:
      app: gateway
  jwtRules:
    - issuer: {json.dumps(ISSUER)}
      audiences: [{json.dumps(AUDIENCE)}]
      # Verified here, and by each service again.
      forwardOriginalToken: true
      jwks: {json.dumps(json.dumps(jwks))}
"""


def secret_manifest(
    *, jwks: Jwks, postgres_superuser: str, user_database: str, chat_database: str, nats_token: str
) -> str:
    """The services' key set, one Secret per password, and the SQL that makes PostgreSQL's roles of them."""
    sql = roles_sql(users_password=user_database, chat_password=chat_database)
    return "---\n".join(
        [
            _HEADER + _config_map("jwt-keys", {"jwks.json": json.dumps(jwks)}),
            _secret("postgres-superuser", {"password": postgres_superuser}),
            _secret("user-database", {"password": user_database}),
            _secret("chat-database", {"password": chat_database}),
            _secret("nats-token", {"token": nats_token}),
            _secret("postgres-init", {"roles.sql": sql}),
        ]
    )


def roles_sql(*, users_password: str, chat_password: str) -> str:
    """For an empty PostgreSQL, a statement a line: two roles, each with a database that only it can reach.

    PUBLIC may connect to every database by default (PostgreSQL, Privileges), the built-in ones included.
    """
    lines = []
    for role, password in (("users", users_password), ("chat", chat_password)):
        assert password.isalnum(), "it stands between quotes"
        lines += [
            f"CREATE ROLE {role} LOGIN PASSWORD '{password}';",
            f"CREATE DATABASE {role} OWNER {role};",
            f"REVOKE ALL ON DATABASE {role} FROM PUBLIC;",
        ]
    lines += [f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC;" for database in ("postgres", "template1")]
    return "\n".join(lines) + "\n"


def _config_map(name: str, data: Mapping[str, str]) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\n{_metadata(name)}data:\n{_entries(data)}"


def _secret(name: str, data: Mapping[str, str]) -> str:
    return f"apiVersion: v1\nkind: Secret\n{_metadata(name)}type: Opaque\nstringData:\n{_entries(data)}"


def _metadata(name: str) -> str:
    return f"metadata:\n  name: {name}\n  namespace: {NAMESPACE}\n"


def _entries(data: Mapping[str, str]) -> str:
    return "".join(f"  {key}: {json.dumps(value)}\n" for key, value in data.items())
