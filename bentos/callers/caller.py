"""Who sent a request, and what that caller may do."""

from dataclasses import dataclass
from enum import StrEnum

from bentos.metric_labels import CallerKind


class Scope(StrEnum):
    """Something that a caller may do."""

    ANALYSE = "analyse"
    HISTORY = "history"
    """Keep analyses; list, read and delete its own."""
    ANNOTATE = "annotate"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """A program or a person; nobody else sees what it owns."""

    owner: str
    """What its analyses are kept under; empty for a visitor who has kept none."""
    scopes: frozenset[Scope]
    retention_hours: int | None = None
    """How long its analyses are kept; None for the service's default."""
    requests_per_minute: int | None = None
    """Its quota, in images: a batch costs as many as it has. None for the service's default, 0 for
    none."""

    @property
    def is_visitor(self) -> bool:
        """Whether it has neither a key nor signed in."""
        return not self.owner.startswith((KEY_OWNER, PERSON_OWNER))

    @property
    def is_person(self) -> bool:
        """Whether it has signed in."""
        return self.owner.startswith(PERSON_OWNER)

    @property
    def kind(self) -> CallerKind:
        """How it was told apart."""
        if self.is_person:
            return CallerKind.PERSON
        if not self.is_visitor:
            return CallerKind.KEY
        return CallerKind.VISITOR if self.owner else CallerKind.NONE


KEY_OWNER, PERSON_OWNER, VISITOR_OWNER = "key:", "person:", "visitor:"
"""What the owners begin with."""
VISITOR_SCOPES = frozenset({Scope.ANALYSE, Scope.HISTORY})
"""What those without a key may do, where they may do anything."""
ANONYMOUS = Caller("", VISITOR_SCOPES)
NOBODY = Caller("", frozenset())
"""A caller without a key or a session, where one is needed."""
