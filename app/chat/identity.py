"""The person's identity: a name to show, and a secret with which every new token names the same user."""

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
from chat.protocol import InvalidField, check_id, check_person_name
from kizuna import KizunaError, Settings, TryLater

NAME_KEY = "kizuna.name"
LEFT_KEY = "kizuna.left."
SECRET_KEY = "kizuna.secret-for."
USER_KEY = "kizuna.user."
FORGOTTEN_KEY = (
    "kizuna.forgotten"  #: the key of the person who was forgotten last, so that their other tabs leave
)

INTERCEPTED = "intercepted"
BANNED = "banned"
#: Errors with a text of their own (static/i18n, reason.*); for others the connection's reason is shown.
PROBLEMS: dict[type[Exception], str] = {
    Intercepted: INTERCEPTED,
    OriginForbidden: "forbidden_origin",
    Banned: BANNED,
    TryLater: "busy",
}


class Identity:
    """The person's name, secret and user id. ``make_secret`` returns a new random secret. ``tab``: settings of this tab
    alone, so that two people may each have a tab, and a reload is the same person again.

    A secret is stored for each name and token endpoint: another name in the same browser is another person, and no
    server gets a secret that was made for another one.
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
        self.is_refused = False  #: the server does not accept the name
        self.problem: str | None = None  #: why the last attempt got no token, if it is one of PROBLEMS

    @property
    def remembered_name(self) -> str | None:
        """The name given last in this browser. join() may refuse it."""
        return self._tab.get(NAME_KEY) or self._settings.get(NAME_KEY) or None

    @property
    def person_key(self) -> str:
        """The current user's key in storage: a hash of token URL and secret."""
        return self.person_key_for(self._secret)

    def person_key_for(self, secret: str) -> str:
        """Return the storage key of the person with this secret."""
        return hashlib.sha256(f"{self._endpoints.token_url}\n{secret}".encode()).hexdigest()[:32]

    @property
    def has_left(self) -> bool:
        """Whether the current person, or else the remembered one, left on purpose in any tab. Then no page joins
        automatically, and nothing of theirs is stored."""
        name = self.name or self.remembered_name
        if name is None:
            return False
        return self.is_forgotten or self._settings.get(LEFT_KEY + name) is not None

    @property
    def is_forgotten(self) -> bool:
        """Whether the current person was forgotten in any tab."""
        return self.name is not None and self._settings.get(FORGOTTEN_KEY) == self.person_key

    @property
    def left_person_key(self) -> str | None:
        """The storage key of the remembered person, if they left."""
        name = self.remembered_name
        return self.person_key_of(name) if name is not None and self.has_left else None

    def person_key_of(self, name: str) -> str | None:
        """Return the storage key of the person with this name; None if there is none."""
        secret = self._settings.get(self._secret_key(name))
        return None if secret is None else self.person_key_for(secret)

    def save_secret(self, name: str, secret: str) -> None:
        """Store the secret of the person with this name."""
        self._settings.set(self._secret_key(name), secret)

    def _secret_key(self, name: str) -> str:
        endpoint = hashlib.sha256(self._endpoints.token_url.encode()).hexdigest()[:16]
        return f"{SECRET_KEY}{endpoint}.{name}"

    def join(self, name: str) -> None:
        """Become the person with this name. Raises protocol.InvalidField."""
        name = check_person_name("name", name)
        self.name = name
        self._settings.set(NAME_KEY, name)
        self._tab.set(NAME_KEY, name)
        self._settings.delete(LEFT_KEY + name)
        # Kept in memory too, so that clearing the storage does not change who the person is.
        self._secret = self._settings.get(self._secret_key(name)) or self._make_secret()
        self.save_secret(name, self._secret)
        self._admission = Admission(self._endpoints, name, self._secret)
        self.user_id = self._remembered_user_id()

    def rename(self, name: str) -> str:
        """Give the current person another name, and return it as it is stored. The secret stays the same, and so does
        the user. The next token has the name. Raises protocol.InvalidField, also for the name of another person."""
        name = check_person_name("name", name)
        if self._settings.get(self._secret_key(name)) not in (None, self._secret):
            raise InvalidField("name", "is another person's in this browser", "taken")
        self.name = name
        self._settings.set(NAME_KEY, name)
        self._tab.set(NAME_KEY, name)
        self._settings.delete(LEFT_KEY + name)
        self.save_secret(name, self._secret)
        self._admission = Admission(self._endpoints, name, self._secret)
        return name

    def forget(self) -> None:
        """Delete all that is stored of the current person. A later person with this name is another one."""
        name, key = self.name or "", self.person_key
        for settings in (self._settings, self._tab):
            if settings.get(NAME_KEY) == name:
                settings.delete(NAME_KEY)
        for stored in (LEFT_KEY + name, self._secret_key(name), USER_KEY + key):
            self._settings.delete(stored)
        self._settings.set(FORGOTTEN_KEY, key)
        self.user_id = None

    def leave(self, *, remember: bool = True) -> None:
        """Forget the token and, with ``remember``, store that the person left on purpose."""
        self.is_refused = False
        if remember:
            self._settings.set(LEFT_KEY + (self.name or ""), "1")
        self._admission = Admission(self._endpoints, self.name or "", self._secret)

    async def get_token(self) -> str:
        """Return a ticket, or a new token where there are no tickets.

        Raises what Endpoints raises; TokenUnavailable also if the person left meanwhile.
        """
        admission = self._admission
        try:
            token, user_id = await admission.fetch_credential()
        except (KizunaError, OSError) as error:
            if admission is self._admission:  # else it is about an earlier person
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
        """Return the stored user id, by which own messages are known before the server confirms it."""
        try:
            return check_id("userId", self._settings.get(USER_KEY + self.person_key))
        except ValueError:
            return None
