"""Roles, deactivating and removing: what ends at once, and what stays."""

from functools import partial

import pytest
from django.test import Client

from reviewapp.accounts.admins import LastAdminError
from reviewapp.accounts.models import Membership, Project, Role, User
from reviewapp.accounts.sign_in_models import Session
from reviewapp.audit.models import AuditEvent
from reviewapp.keys.tokens import create_token, find_valid_token
from reviewapp.people import links, members
from reviewapp.people.models import AccountLink, is_usable
from reviewapp.queues.claiming import claim
from reviewapp.queues.models import QueueItem
from reviewapp.reviews.models import Review
from tests.cast import sign_in_client
from tests.factories import PASSWORD, MembershipFactory, ReviewFactory
from tests.threads import run_concurrently


def member_of(project: Project, user: User) -> Membership:
    return Membership.objects.get(project=project, user=user)


def test_it_changes_a_role_with_before_and_after(project: Project, reviewer: User, admin: User) -> None:
    assert members.change_role(member_of(project, reviewer), "lead", admin)

    event = AuditEvent.objects.get()
    assert (event.actor_name, event.verb, event.target) == ("admin", "changed role", "person:reviewer")
    assert event.detail == '{"after":"lead","before":"reviewer"}'


def test_it_records_no_change_of_nothing(project: Project, reviewer: User, admin: User) -> None:
    assert not members.change_role(member_of(project, reviewer), "reviewer", admin)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("act", [partial(members.change_role, role="lead"), members.deactivate, members.remove])
def test_it_keeps_the_last_admin(project: Project, admin: User, act: partial) -> None:
    """A deactivated admin, and one of another project, are none."""
    former = MembershipFactory.create(project=project, role=Role.ADMIN, is_active=False)
    User.objects.filter(pk=MembershipFactory.create(project=project, role=Role.ADMIN).user_id).update(is_active=False)
    with pytest.raises(LastAdminError):
        act(member_of(project, admin), actor=admin)

    assert member_of(project, admin).role == Role.ADMIN
    assert member_of(project, admin).is_active
    members.remove(former, admin)


@pytest.mark.django_db(transaction=True)
def test_it_keeps_one_of_two_admins_who_remove_each_other(project: Project, admin: User) -> None:
    other = MembershipFactory.create(project=project, role=Role.ADMIN)
    refusals = []

    def remove(membership: Membership) -> None:
        try:
            members.remove(membership, "command")
        except LastAdminError as error:
            refusals.append(error)

    run_concurrently([partial(remove, member_of(project, admin)), partial(remove, other)])

    assert len(refusals) == 1
    assert Membership.objects.filter(project=project, role=Role.ADMIN).count() == 1


@pytest.mark.parametrize("act", [members.deactivate, members.remove])
def test_it_ends_what_the_person_holds(
    project: Project, lead: User, admin: User, item: QueueItem, client: Client, act: partial
) -> None:
    client = sign_in_client(lead)
    claim(item, lead)
    token, link = create_token(project, "ci", lead), links.make_invite(project, "lead", 7, lead)
    act(member_of(project, lead), actor=admin)

    item.refresh_from_db()
    assert (item.claimed_by, item.claimed_until) == (None, None)
    assert find_valid_token(token) is None
    assert links.find_link(link) is None
    assert not Session.objects.filter(user=lead).exists()
    assert client.get("/p/support/").status_code == 302


def test_it_leaves_what_others_hold(project: Project, lead: User, admin: User, colleague_client: Client) -> None:
    token = create_token(project, "ci", admin)
    members.deactivate(member_of(project, lead), admin)

    assert find_valid_token(token) is not None
    assert colleague_client.get("/p/support/").status_code == 200


@pytest.mark.parametrize("act", [members.deactivate, members.remove])
def test_it_keeps_reviews(project: Project, reviewer: User, admin: User, item: QueueItem, act: partial) -> None:
    ReviewFactory.create(item=item, reviewer=reviewer)
    act(member_of(project, reviewer), actor=admin)

    assert Review.objects.get().reviewer == reviewer


def test_it_refuses_the_sign_in_of_a_deactivated_person(
    project: Project, reviewer: User, admin: User, client: Client
) -> None:
    members.deactivate(member_of(project, reviewer), admin)
    fields = {"username": "reviewer", "password": PASSWORD}
    assert client.post("/accounts/login/", fields).status_code == 422

    members.reactivate(member_of(project, reviewer), admin)
    assert client.post("/accounts/login/", fields).status_code == 302
    assert client.get("/p/support/").status_code == 200


def test_it_leaves_other_projects_alone(
    project: Project, other_project: Project, reviewer: User, admin: User, client: Client
) -> None:
    MembershipFactory.create(project=other_project, user=reviewer)
    members.deactivate(member_of(project, reviewer), admin)
    client.post("/accounts/login/", {"username": "reviewer", "password": PASSWORD})

    assert client.get("/p/support/").status_code == 404
    assert client.get("/p/elsewhere/").status_code == 200


def test_it_ends_links_of_a_deactivated_admin_only(project: Project, admin: User) -> None:
    other = MembershipFactory.create(project=project, role=Role.ADMIN)
    for maker in (admin, other.user):
        links.make_invite(project, "reviewer", 7, maker)
    members.deactivate(other, admin)

    assert [link.made_by for link in AccountLink.objects.filter(is_usable())] == ["admin"]
