"""The weekly feed: asked rarely, by one runner for all of the machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from plugins.news_pause.cache import LEAST_GAP, Cache, Note
from plugins.news_pause.events import Calendar, CalendarError, from_rows
from plugins.news_pause.fetch import Get, Reply, failure, retry_after
from plugins.news_pause.source import Delivery, Visit

_OK, _NOT_MODIFIED = 200, 304
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
# Of the end of what is known, so that no week stays unknown for long.
_NEXT_WEEK_WITHIN = timedelta(hours=1)
_LONGEST_WISH = timedelta(days=1)  # of a Retry-After
_JITTER = 0.25  # at most so much longer, so that machines do not ask together
_LOOK_EVERY = 30.0  # seconds between two looks at what another runner was told
_MOST_DOUBLINGS = 16
# A bare one is refused sooner.
_USER_AGENT = "Mozilla/5.0 (compatible; mt5runner)"


class WeeklyFeed:
    """Visits the cache often and the feed's host rarely.

    Args:
        url: The feed's address.
        cache: Shared by all runners of the machine.
        poll: Between two requests of the machine.
        get: Asks for an address.
        wall: Wall-clock time, UTC-aware.
        random: Returns a number from 0 to 1.
    """

    def __init__(
        self,
        url: str,
        cache: Cache,
        *,
        poll: timedelta,
        get: Get,
        wall: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._url = url
        self._cache = cache
        self._poll = poll
        self._get = get
        self._wall = wall
        self._random = random
        self._told: Note | None = None

    def visit(self) -> Visit:
        """Ask if it is time to, and take over what is new, whoever asked for it."""
        try:
            note = self._cache.claim(self._wall())
            if note is None:
                note = self._cache.read()
            else:
                note = self._ask(note)
                self._cache.write(note)
        except OSError as error:
            # Without the note nobody knows whether it is time to ask.
            problem = f"{self._cache.folder}: cannot be used: {error}"
            return Visit(_LOOK_EVERY, self._news(Note(problem=problem)))
        until = (note.next_at - self._wall()).total_seconds()
        wait = min(max(until, 1.0), _LOOK_EVERY)
        return Visit(wait, self._news(note))

    def _news(self, note: Note) -> Delivery | None:
        told, self._told = self._told, note
        is_same_body = told is not None and told.body == note.body
        if told is not None and is_same_body and told.problem == note.problem:
            return None
        if not note.body or is_same_body:
            return Delivery(problem=note.problem)
        try:
            return Delivery(_calendar(note), note.problem)
        except CalendarError as error:  # such as by an older version
            return Delivery(problem=f"the cache: {error}")

    def _ask(self, note: Note) -> Note:
        headers = {"User-Agent": _USER_AGENT, "Accept": "application/json"}
        if note.body and note.etag:
            headers["If-None-Match"] = note.etag
        if note.body and note.last_modified:
            headers["If-Modified-Since"] = note.last_modified
        return judge(
            note,
            self._get(self._url, headers),
            now=self._wall(),
            poll=self._poll,
            jitter=self._random(),
        )


def judge(
    note: Note, reply: Reply, *, now: datetime, poll: timedelta, jitter: float
) -> Note:
    """Return what is known after an answer.

    A good body is replaced by a good one alone, and by none of an earlier week.

    Args:
        note: What was known before.
        reply: The answer.
        now: Wall-clock time, UTC-aware.
        poll: Between two requests.
        jitter: From 0 to 1.
    """
    longer = 1 + _JITTER * jitter
    try:
        good = _good(note, reply)
        calendar = read_feed(good.body)
    except CalendarError as error:
        doubled = _FIRST_PAUSE * 2 ** min(note.failures, _MOST_DOUBLINGS)
        left = _left(_week(note.body), now)
        wish = min(retry_after(reply, now), _LONGEST_WISH.total_seconds())
        return attrs.evolve(
            note,
            asked_at=now,
            next_at=now
            + max(
                min(
                    doubled * longer, _LONGEST_PAUSE, left + _NEXT_WEEK_WITHIN * longer
                ),
                timedelta(seconds=wish),
                LEAST_GAP,
            ),
            failures=note.failures + 1,
            problem=str(error),
        )
    return attrs.evolve(
        good,
        asked_at=now,
        next_at=now
        + max(
            min(poll * longer, _left(calendar, now) + _NEXT_WEEK_WITHIN * longer),
            LEAST_GAP,
        ),
        failures=0,
        problem=_stale(calendar, now),
    )


def _good(note: Note, reply: Reply) -> Note:
    """Return the note with the body that counts now; CalendarError if none came."""
    if reply.status == _NOT_MODIFIED and note.body:
        return note
    if reply.status != _OK:
        raise CalendarError(failure(reply))
    try:
        text = reply.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CalendarError("the answer is no text in UTF-8") from None
    try:
        calendar = read_feed(text)
    except CalendarError as error:
        raise CalendarError(f"the answer is no calendar: {error}") from None
    former = note.former
    if (known := _week(note.body)) is not None:
        if calendar.until < known.until:
            return note
        if calendar.since >= known.until:
            former = note.body
    return attrs.evolve(
        note,
        body=text,
        former=former,
        etag=reply.headers.get("etag", ""),
        last_modified=reply.headers.get("last-modified", ""),
    )


def _week(body: str) -> Calendar | None:
    try:
        return read_feed(body) if body else None
    except CalendarError:
        return None


def _calendar(note: Note) -> Calendar:
    """Return this week after the one before, whose last windows may still hold."""
    calendar, former = read_feed(note.body), _week(note.former)
    return calendar if former is None else calendar.following(former)


def _left(calendar: Calendar | None, now: datetime) -> timedelta:
    """Return for how long the week is known."""
    known = timedelta() if calendar is None else calendar.until - now
    return max(known, timedelta())


def _stale(calendar: Calendar, now: datetime) -> str:
    if now < calendar.until:
        return ""
    return f"the feed still has the week of {calendar.reach()}"


def read_feed(text: str) -> Calendar:
    """Read the feed's body.

    Raises:
        CalendarError: If it is anything else, such as a page that says no with 200.
    """
    if not text.lstrip().startswith("["):
        raise CalendarError(f"expected a list of events, got {text[:40]!r}")
    try:
        return from_rows(json.loads(text))
    except CalendarError:
        raise
    except (ValueError, RecursionError):
        raise CalendarError(f"expected JSON, got {len(text)} characters") from None
