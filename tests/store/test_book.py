from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from coordinator.model import HostStanding
from coordinator.store.enrolment import Book
from coordinator.store.fleet import Fleet
from tests.trust.enrolment_contract import EnrolmentContract


class TestStoreBook(EnrolmentContract):
    @pytest.fixture
    def book(self, database: Engine) -> Book:
        return Book(database)

    @pytest.fixture
    def revoke(self, database: Engine) -> Callable[[str], object]:
        fleet = Fleet(database)
        return lambda host_id: fleet.set_standing(host_id, HostStanding.REVOKED)
