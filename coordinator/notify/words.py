"""What mails say, in each language. One row a kind of mail, and one for that of a drill."""

from dataclasses import dataclass

from coordinator.mail_settings import Language
from coordinator.store.outbox import MailKind, NoticeKind


@dataclass(frozen=True, slots=True)
class Words:
    """One kind of mail: its subject, its first sentence, and whether it names what is wrong."""

    subject: str
    first: str
    explains: bool = True


@dataclass(frozen=True, slots=True)
class Labels:
    """The small words of all mails in one language."""

    colon: str
    why: str
    mend: str
    rollout: str
    started_by: str
    took: str
    updated: str
    behind: str  # not updated, and not closed
    closed: str
    attached: str
    none_closed: Words  # instead of "left closed" where nothing was closed, or all was opened
    foot: str
    test: Words


def _french(subject: str, first: str, *, explains: bool = True) -> Words:
    """Return a row as French is set: its apostrophe, and no line ends before these signs."""
    signs = (("'", "\u2019"), (" :", "\u00a0:"), (" ;", "\u202f;"))
    for typed, printed in signs:
        subject, first = subject.replace(typed, printed), first.replace(typed, printed)
    return Words(subject, first, explains)


WORDS: dict[Language, dict[MailKind, Words]] = {
    Language.ENGLISH: {
        MailKind.NEEDS_YOU: Words(
            "{title} {version}: needs you",
            "The update of {title} in group {group} waits for somebody. It stays as it is, and "
            "closed where it is closed, until then.",
        ),
        MailKind.AVAILABLE: Words(
            "{title} {version}: available again",
            "{title} is available again, in version {version}. You can open it and go on working.",
            explains=False,
        ),
        MailKind.PARTLY: Words(
            "{title} {version}: available again, but not everywhere",
            "{title} is available again, in version {version}, on the workstations named below "
            "as updated. It stays closed only where it is named as closed.",
        ),
        MailKind.STOPPED: Words(
            "{title} {version}: stopped, open again as before",
            "The update of {title} was stopped. {title} can be opened again, in the version "
            "that it had.",
        ),
        MailKind.LEFT_CLOSED: Words(
            "{title} {version}: stopped, stays closed",
            "The update of {title} in group {group} was stopped half-way. {title} stays closed on "
            "the workstations named below as closed, until it is finished or taken back.",
        ),
        MailKind.OPENED: Words(
            "{title} {version}: opened on a workstation",
            "{title} has been opened on the workstation named below, where it was to stay closed "
            "for its update in group {group}. Somebody may now work there with another version "
            "than colleagues.",
        ),
    },
    Language.FRENCH: {
        MailKind.NEEDS_YOU: _french(
            "{title} {version} : on a besoin de vous",
            "La mise à jour de {title} dans le groupe {group} attend une intervention. D'ici "
            "là, rien ne change : ce qui est fermé reste fermé.",
        ),
        MailKind.AVAILABLE: _french(
            "{title} {version} : de nouveau disponible",
            "{title} est de nouveau disponible, en version {version}. Vous pouvez l'ouvrir et "
            "reprendre votre travail.",
            explains=False,
        ),
        MailKind.PARTLY: _french(
            "{title} {version} : de nouveau disponible, mais pas partout",
            "{title} est de nouveau disponible, en version {version}, sur les postes mis à jour "
            "nommés ci-dessous. Il ne reste fermé que sur ceux nommés comme fermés.",
        ),
        MailKind.STOPPED: _french(
            "{title} {version} : mise à jour arrêtée, ouvert comme avant",
            "La mise à jour de {title} a été arrêtée. {title} peut être rouvert, dans sa version "
            "précédente.",
        ),
        MailKind.LEFT_CLOSED: _french(
            "{title} {version} : mise à jour arrêtée, reste fermé",
            "La mise à jour de {title} dans le groupe {group} a été arrêtée à mi-chemin. {title} "
            "reste fermé sur les postes nommés ci-dessous comme fermés, jusqu'à ce qu'elle soit "
            "terminée ou annulée.",
        ),
        MailKind.OPENED: _french(
            "{title} {version} : ouvert sur un poste",
            "{title} a été ouvert sur le poste nommé ci-dessous, où il devait rester fermé pour "
            "sa mise à jour dans le groupe {group}. Quelqu'un peut y travailler avec une autre "
            "version que ses collègues.",
        ),
    },
}

DRILLED: dict[Language, dict[MailKind, Words]] = {
    Language.ENGLISH: {
        MailKind.NEEDS_YOU: Words(
            "{title}: a drill needs you",
            "The drill of {title} in group {group} waits for somebody. It stays as it is, and "
            "closed where it is closed, until then.",
        ),
        MailKind.AVAILABLE: Words(
            "{title}: available again, after a drill",
            "{title} is available again. This was a drill: it was closed and opened again, "
            "nothing was updated.",
            explains=False,
        ),
        MailKind.PARTLY: Words(
            "{title}: a drill that did not go well everywhere",
            "{title} is available again, except where it is named below as closed. This was a "
            "drill: nothing was updated. It did not go well on every workstation.",
        ),
        MailKind.STOPPED: Words(
            "{title}: a drill was stopped",
            "The drill of {title} was stopped, and nothing was updated. {title} can be opened "
            "again, except where it is named below as closed.",
        ),
        MailKind.LEFT_CLOSED: Words(
            "{title}: a drill ended early",
            "The drill of {title} in group {group} ended early, and nothing was updated. "
            "{title} stays closed where it is named below as closed, and nowhere else.",
        ),
        MailKind.OPENED: Words(
            "{title}: opened on a workstation, in a drill",
            "{title} has been opened on the workstation named below, where it was to stay closed "
            "for the drill in group {group}. Nothing was updated.",
        ),
    },
    Language.FRENCH: {
        MailKind.NEEDS_YOU: _french(
            "{title} : un exercice a besoin de vous",
            "L'exercice de {title} dans le groupe {group} attend une intervention. D'ici là, "
            "rien ne change : ce qui est fermé reste fermé.",
        ),
        MailKind.AVAILABLE: _french(
            "{title} : de nouveau disponible, après un exercice",
            "{title} est de nouveau disponible. C'était un exercice : tout a été fermé puis "
            "rouvert, rien n'a été mis à jour.",
            explains=False,
        ),
        MailKind.PARTLY: _french(
            "{title} : l'exercice n'a pas réussi partout",
            "{title} est de nouveau disponible, sauf sur les postes nommés ci-dessous comme "
            "fermés. C'était un exercice : rien n'a été mis à jour. Il n'a pas réussi sur tous "
            "les postes.",
        ),
        MailKind.STOPPED: _french(
            "{title} : exercice arrêté",
            "L'exercice de {title} a été arrêté, et rien n'a été mis à jour. {title} peut être "
            "rouvert, sauf sur les postes nommés ci-dessous comme fermés.",
        ),
        MailKind.LEFT_CLOSED: _french(
            "{title} : exercice terminé avant la fin",
            "L'exercice de {title} dans le groupe {group} s'est terminé avant la fin, et rien "
            "n'a été mis à jour. {title} ne reste fermé que sur les postes nommés ci-dessous "
            "comme fermés.",
        ),
        MailKind.OPENED: _french(
            "{title} : ouvert sur un poste, pendant un exercice",
            "{title} a été ouvert sur le poste nommé ci-dessous, où il devait rester fermé pour "
            "l'exercice du groupe {group}. Rien n'a été mis à jour.",
        ),
    },
}

NOTICES: dict[Language, dict[NoticeKind, Words]] = {
    Language.ENGLISH: {
        NoticeKind.EXPIRES: Words(
            "Roundsman: what is signed expires",
            "Something that is signed for all workstations expires. From then on they refuse "
            "everything new, until it is signed anew.",
        ),
        NoticeKind.RELEASE: Words(
            "{about} is out",
            "The vendor offers {about}, which is newer than what the fleet has. {detail}. Nothing "
            "is installed by itself: somebody adds, signs and plans it first.",
            explains=False,
        ),
    },
    Language.FRENCH: {
        NoticeKind.EXPIRES: _french(
            "Roundsman : une signature arrive à échéance",
            "Une signature valable pour tous les postes arrive à échéance. À partir de là, ils "
            "refusent toute nouveauté, jusqu'à ce qu'elle soit renouvelée.",
        ),
        NoticeKind.RELEASE: _french(
            "{about} est disponible",
            "L'éditeur propose {about}, version plus récente que celles des postes. {detail}. "
            "Rien ne s'installe tout seul : il faut d'abord l'ajouter, la signer et la planifier.",
            explains=False,
        ),
    },
}

LABELS: dict[Language, Labels] = {
    Language.ENGLISH: Labels(
        colon=": ",
        why="Why",
        mend="What to do",
        rollout="Rollout",
        started_by="Started by",
        took="Took",
        updated="Updated",
        behind="Not updated, open",
        closed="Stays closed",
        attached="The report is attached; it names nobody who had the app open.",
        none_closed=Words(
            "{title} {version}: stopped, not kept closed",
            "The update of {title} in group {group} was stopped. {title} is not kept closed on "
            "any workstation.",
        ),
        foot="Sent by Roundsman.",
        test=Words(
            "Roundsman: a test",
            "This is the test that was asked for: the coordinator can send mail to you.",
        ),
    ),
    Language.FRENCH: Labels(
        colon="\u00a0: ",
        why="Raison",
        mend="Que faire",
        rollout="Mise à jour",
        started_by="Lancée par",
        took="Durée",
        updated="Mis à jour",
        behind="Non mis à jour, ouvert",
        closed="Reste fermé",
        attached="Le rapport est joint\u202f; il ne dit pas qui avait l\u2019application ouverte.",
        none_closed=_french(
            "{title} {version} : mise à jour arrêtée, rien n'est tenu fermé",
            "La mise à jour de {title} dans le groupe {group} a été arrêtée. {title} n'est tenu "
            "fermé sur aucun poste.",
        ),
        foot="Envoyé par Roundsman.",
        test=_french(
            "Roundsman : un essai",
            "Voici l'essai demandé : le coordinateur peut vous écrire.",
        ),
    ),
}
"""A test holds that each language has every kind."""
