"""Two managers who remove each other at the same moment leave one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.urls import reverse

from kura.accounts.models import User
from tests.admin import people
from tests.admin.conftest import logged_in, plain_http

__all__ = ["plain_http"]


@pytest.mark.parametrize("change", [{"role": "viewer", "is_active": "on"}, {"role": "manager"}])
def test_two_managers_who_remove_each_other_leave_one(committed_db, plain_http, change):
    practice = people.practice()
    pair = [people.person(practice, "manager", name) for name in ("Ana", "Eva")]
    clients = [logged_in(one) for one in pair]
    together = Barrier(2)

    def remove(number: int) -> int:
        url = reverse("admin:accounts_user_change", args=[pair[1 - number].pk])
        clients[number].get(url)
        together.wait()
        try:
            fields = {"display_name": "X", "language": "es"} | change
            return clients[number].post(url, fields).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(remove, range(2)))

    left = User.objects.filter(organization=practice, is_active=True, groups__name="manager")
    assert left.count() == 1
    assert answers[0] in {200, 302}
    assert answers[1] in {302, 403}
