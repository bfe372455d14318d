"""The words by which leads opt out of messages and in again, one table for each language.

The language of a lead is not known, so words are missing that are an ordinary answer in any of the languages: "no",
"basta", "fine" (which ends something in Italian), "dur" (stop in Turkish, hard in French). A few that can be an answer
stay, because people are told everywhere to write them: "alto", "baja", "sair".

Words are written as people write them; ``worker.domain.consent`` compares them without case, accents and punctuation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from config.consent import Language


class Table(NamedTuple):
    """Of one language: what opts out, what opts in again."""

    stop: tuple[str, ...]
    start: tuple[str, ...]


TABLES: Mapping[Language, Table] = {
    "de": Table(
        stop=("stopp", "stoppen", "abmelden", "abbestellen", "austragen", "kündigen", "keine Nachrichten mehr"),
        start=("anmelden", "abonnieren", "wieder anmelden"),
    ),
    "en": Table(
        stop=(
            "stop",
            "stop all",
            "stopall",
            "end",
            "quit",
            "cancel",
            "unsubscribe",
            "unsubscribe me",
            "revoke",
            "opt out",
            "optout",
        ),
        start=("start", "unstop", "subscribe", "resubscribe", "opt in", "optin"),
    ),
    "es": Table(
        stop=("alto", "parar", "detener", "cancelar", "baja", "darme de baja", "dar de baja", "anular suscripción"),
        start=("alta", "suscribir", "suscribirme", "darme de alta", "reanudar"),
    ),
    "fr": Table(
        stop=("arrêt", "arrêter", "arrêtez", "désabonner", "me désabonner", "désabonnement", "désinscrire", "résilier"),
        start=("reprendre", "s'abonner", "m'abonner", "réabonner", "me réabonner"),
    ),
    "it": Table(
        stop=("annulla", "annullare", "cancellami", "disiscrivi", "disiscrivimi", "cancella iscrizione", "disdici"),
        start=("iscrivimi", "riprendi", "riattiva"),
    ),
    "nl": Table(
        stop=("stoppen", "afmelden", "uitschrijven", "opzeggen", "annuleren"),
        start=("aanmelden", "inschrijven", "hervatten"),
    ),
    "pl": Table(
        stop=("rezygnuję", "wypisz", "wypisz mnie", "anuluj", "anuluj subskrypcję", "zatrzymaj"),
        start=("zapisz mnie", "wznów", "subskrybuj"),
    ),
    "pt": Table(
        stop=("parar", "cancelar", "sair", "descadastrar", "cancelar inscrição", "cancelar subscrição", "remover"),
        start=("retomar", "inscrever", "quero receber", "voltar a receber"),
    ),
    "ru": Table(
        stop=("стоп", "отписаться", "отпишите", "отпишите меня", "отпиши меня", "отписка", "не пишите мне"),
        start=("старт", "подписаться", "возобновить"),
    ),
    "tr": Table(
        stop=("ret", "durdur", "iptal", "iptal et", "abonelikten çık", "listeden çık"),  # noqa: RUF001 - its own i
        start=("başlat", "abone ol", "yeniden abone ol"),
    ),
}
