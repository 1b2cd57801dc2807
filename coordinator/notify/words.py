"""What mails say, in each language. One row a kind of mail."""

from dataclasses import dataclass

from coordinator.mail_settings import Language
from coordinator.store.outbox import MailKind


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
    not_updated: str
    attached: str
    drilled: Words  # instead of "available" after a drill
    foot: str
    test: Words


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
            "as updated. On the others it stays closed.",
        ),
        MailKind.STOPPED: Words(
            "{title} {version}: stopped, open again as before",
            "The update of {title} was stopped. {title} can be opened again, in the version "
            "that it had.",
        ),
        MailKind.LEFT_CLOSED: Words(
            "{title} {version}: stopped, stays closed",
            "The update of {title} was stopped half-way. {title} stays closed in group {group} "
            "until it is finished or taken back.",
        ),
    },
    Language.FRENCH: {
        MailKind.NEEDS_YOU: Words(
            "{title} {version} : on a besoin de vous",
            "La mise à jour de {title} dans le groupe {group} attend quelqu'un. D'ici là, rien "
            "ne change : ce qui est fermé reste fermé.",
        ),
        MailKind.AVAILABLE: Words(
            "{title} {version} : de nouveau disponible",
            "{title} est de nouveau disponible, en version {version}. Vous pouvez l'ouvrir et "
            "reprendre votre travail.",
            explains=False,
        ),
        MailKind.PARTLY: Words(
            "{title} {version} : de nouveau disponible, mais pas partout",
            "{title} est de nouveau disponible, en version {version}, sur les postes mis à jour "
            "nommés ci-dessous. Sur les autres, il reste fermé.",
        ),
        MailKind.STOPPED: Words(
            "{title} {version} : mise à jour arrêtée, rouvert comme avant",
            "La mise à jour de {title} a été arrêtée. {title} peut être rouvert, dans la version "
            "d'avant.",
        ),
        MailKind.LEFT_CLOSED: Words(
            "{title} {version} : mise à jour arrêtée, reste fermé",
            "La mise à jour de {title} a été arrêtée à mi-chemin. {title} reste fermé dans le "
            "groupe {group} jusqu'à ce qu'elle soit terminée ou annulée.",
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
        not_updated="Not updated",
        attached="The report is attached, without what workstations told of people.",
        drilled=Words(
            "{title}: available again, after a drill",
            "{title} is available again. This was a drill: it was closed and opened again, "
            "nothing was updated.",
            explains=False,
        ),
        foot="Sent by Roundsman.",
        test=Words(
            "Roundsman: a test",
            "This is the test that was asked for: the coordinator can send mail to you.",
        ),
    ),
    Language.FRENCH: Labels(
        colon=" : ",
        why="Raison",
        mend="Que faire",
        rollout="Mise à jour",
        started_by="Lancée par",
        took="Durée",
        updated="Mis à jour",
        not_updated="Non mis à jour",
        attached="Le rapport est joint, sans ce que les postes ont dit des personnes.",
        drilled=Words(
            "{title} : de nouveau disponible, après un exercice",
            "{title} est de nouveau disponible. C'était un exercice : tout a été fermé puis "
            "rouvert, rien n'a été mis à jour.",
            explains=False,
        ),
        foot="Envoyé par Roundsman.",
        test=Words(
            "Roundsman : un essai",
            "Voici l'essai demandé : le coordinateur peut vous écrire.",
        ),
    ),
}
"""A test holds that each language has every kind."""
