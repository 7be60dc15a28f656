"""Who the person is: a name to show, and a secret that makes every renewal of the token the same person."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from chat.admission import (
    Admission,
    Banned,
    Endpoints,
    Intercepted,
    NameRefused,
    OriginForbidden,
    TokenUnavailable,
)
from chat.protocol import check_id, check_person_name
from kizuna.errors import KizunaError, TryLater
from kizuna.platform import Settings

NAME_KEY = "kizuna.name"
LEFT_KEY = "kizuna.left."
SECRET_KEY = "kizuna.secret-for."
USER_KEY = "kizuna.user."

INTERCEPTED = "intercepted"
BANNED = "banned"
#: What a person is told of these; of others the connection's own words say enough (static/i18n, reason.*).
PROBLEMS: dict[type[Exception], str] = {
    Intercepted: INTERCEPTED,
    OriginForbidden: "forbidden_origin",
    Banned: BANNED,
    TryLater: "busy",
}


class Identity:
    """Responsible for the person's name, secret and user id. ``make_secret`` draws a new secret. ``tab`` are
    settings of this tab alone: two people may each have one, and a reload is the same person again.

    A secret is kept for each name and token endpoint: another name on the same machine is another person, and the old
    name is the old person again; no server is shown a secret that was made for another one.
    """

    def __init__(
        self,
        settings: Settings,
        endpoints: Endpoints,
        make_secret: Callable[[], str],
        tab: Settings | None = None,
    ) -> None:
        self._settings = settings
        self._tab = settings if tab is None else tab
        self._endpoints = endpoints
        self._make_secret = make_secret
        self._secret = ""
        self._admission = Admission(endpoints, "", "")
        self.name: str | None = None
        self.user_id: str | None = None
        self.is_refused = False  #: the server does not take the name
        self.problem: str | None = None  #: why the last attempt got no token, where more is known than that

    @property
    def remembered_name(self) -> str | None:
        """The name given last, on this machine. It may be one that enter() refuses."""
        return self._tab.get(NAME_KEY) or self._settings.get(NAME_KEY) or None

    @property
    def person_key(self) -> str:
        """What the person of the moment is called in storage: another for every secret and every token endpoint. It
        tells neither."""
        return self.person_key_for(self._secret)

    def person_key_for(self, secret: str) -> str:
        """What the person with this secret is called in storage."""
        return hashlib.sha256(f"{self._endpoints.token_url}\n{secret}".encode()).hexdigest()[:32]

    @property
    def has_left(self) -> bool:
        """Whether the person of the moment, or else of the last time, left on purpose in any tab: nothing may join by
        itself then, and nothing of theirs is kept."""
        name = self.name or self.remembered_name
        return name is not None and self._settings.get(LEFT_KEY + name) is not None

    @property
    def left_person_key(self) -> str | None:
        """What storage calls the remembered person, if they left."""
        name = self.remembered_name
        return self.person_key_of(name) if name is not None and self.has_left else None

    def person_key_of(self, name: str) -> str | None:
        """What storage calls the person of this name; None if there has been none."""
        secret = self._settings.get(self._secret_key(name))
        return None if secret is None else self.person_key_for(secret)

    def save_secret(self, name: str, secret: str) -> None:
        """The person of this name has this secret."""
        self._settings.set(self._secret_key(name), secret)

    def _secret_key(self, name: str) -> str:
        endpoint = hashlib.sha256(self._endpoints.token_url.encode()).hexdigest()[:16]
        return f"{SECRET_KEY}{endpoint}.{name}"

    def join(self, name: str) -> None:
        """Be the person of this name. Raises protocol.InvalidField."""
        name = check_person_name("name", name)
        self.name = name
        self._settings.set(NAME_KEY, name)
        self._tab.set(NAME_KEY, name)
        self._settings.delete(LEFT_KEY + name)
        # Kept here too: storage that is cleared under a page must not make somebody else of the person.
        self._secret = self._settings.get(self._secret_key(name)) or self._make_secret()
        self.save_secret(name, self._secret)
        self._admission = Admission(self._endpoints, name, self._secret)
        self.user_id = self._remembered_user_id()

    def leave(self, *, remember: bool = True) -> None:
        """Remember that the person left on purpose, and forget the token."""
        self.is_refused = False
        if remember:
            self._settings.set(LEFT_KEY + (self.name or ""), "1")
        self._admission = Admission(self._endpoints, self.name or "", self._secret)

    async def get_token(self) -> str:
        """What lets the person in once: a ticket, or a new token where there are no tickets.

        Raises what Endpoints raises; TokenUnavailable also if the person left meanwhile, so that nobody comes in as
        somebody else.
        """
        admission = self._admission
        try:
            token, user_id = await admission.fetch_credential()
        except (KizunaError, OSError) as error:
            if admission is self._admission:  # else it is no word about this person
                self.problem = PROBLEMS.get(type(error))
                self.is_refused = self.is_refused or isinstance(error, NameRefused)
            raise
        self.problem = None
        if admission is not self._admission:
            raise TokenUnavailable("the person left meanwhile")
        self.user_id = user_id
        self._settings.set(USER_KEY + self.person_key, user_id)
        return token

    def _remembered_user_id(self) -> str | None:
        """Which messages are the person's own, before any server has said so."""
        try:
            return check_id("userId", self._settings.get(USER_KEY + self.person_key))
        except ValueError:
            return None
