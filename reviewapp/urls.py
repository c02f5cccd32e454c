"""The whole URL map on one screen. Each route's access rule is a decorator of its view."""

from django.urls import URLPattern, URLResolver, include, path, register_converter

from reviewapp.accounts import preference_views
from reviewapp.accounts.confirmation import require_password, require_password_for
from reviewapp.api import docs as api_docs
from reviewapp.api.endpoints import routes as api_routes
from reviewapp.audit import views as audit
from reviewapp.delivery.views import actions as delivery_acts
from reviewapp.delivery.views import bulk
from reviewapp.delivery.views import patches as delivery
from reviewapp.insights import board_views as boards
from reviewapp.insights import export_views as exports
from reviewapp.insights import saved_views as review_views
from reviewapp.insights import status
from reviewapp.insights import views as insights
from reviewapp.keys import views as keys
from reviewapp.onboarding import views as onboarding
from reviewapp.people import account_views, link_views, sign_in
from reviewapp.people import views as people
from reviewapp.quality.views import agreement, failure_rate, settling
from reviewapp.queues.views import assigning, bulk_add, item_changes, queues, rules, skipped, uploads
from reviewapp.queues.views import rubric as rubrics
from reviewapp.reviews.views import (
    auditing,
    discussion,
    item_actions,
    item_pages,
    push_example,
    queue_pages,
    rubric_preview,
    session_turns,
    trace_reviews,
    workbench,
)
from reviewapp.traces.views import finder, traces
from reviewapp.traces.views import keys as trace_keys
from reviewapp.traces.views import saved_views as trace_acts
from reviewapp.traces.views import unreadable as unreadable_traces
from reviewapp.web import views as web
from reviewapp.web.converters import PrimaryKeyConverter
from reviewapp.webhooks import views as webhooks

register_converter(PrimaryKeyConverter, "number")

Routes = list[URLPattern | URLResolver]

accounts_routes: Routes = [
    path("login/", sign_in.sign_in, name="sign-in"),
    path("logout/", sign_in.sign_out, name="sign-out"),
    path("account/", account_views.account_page, name="account"),
    path("account/password/", account_views.password_change, name="password-change"),
    path("account/sessions/end/", account_views.sessions_end, name="sessions-end"),
    path("links/<str:secret>/", link_views.link_page, name="link"),
    path("preferences/", preference_views.preferences_page, name="preferences"),
]
queue_routes: Routes = [
    path("", queues.queue_list, name="queue-list"),
    path("new/", queues.queue_create, name="queue-create"),
    path("new/rule/", rules.rule_start, name="rule-start"),
    path("<slug:queue>/", queues.queue_board, name="queue-board"),
    path("<slug:queue>/settings/", queues.queue_settings, name="queue-settings"),
    path("<slug:queue>/archive/", queues.queue_archive, name="queue-archive"),
    path("<slug:queue>/rubric/", rubrics.queue_rubric, name="queue-rubric"),
    path("<slug:queue>/add/", queues.item_add, name="item-add"),
    path("<slug:queue>/items/<number:item>/remove/", queues.item_remove, name="item-remove"),
    path("<slug:queue>/items/change/", item_changes.items_change, name="items-change"),
    path("<slug:queue>/assign/", assigning.queue_assign, name="queue-assign"),
    path("<slug:queue>/people/", assigning.queue_people, name="queue-people"),
    path("<slug:queue>/put-back/", skipped.items_put_back, name="items-put-back"),
    path("<slug:queue>/uploads/", uploads.upload_list, name="upload-list"),
    path("<slug:queue>/uploads/<number:upload>/", uploads.upload_page, name="upload-page"),
    path("<slug:queue>/uploads/<number:upload>/start/", uploads.upload_start, name="upload-start"),
    path("<slug:queue>/uploads/<number:upload>/cancel/", uploads.upload_cancel, name="upload-cancel"),
    path("<slug:queue>/uploads/<number:upload>/repeat/", uploads.upload_repeat, name="upload-repeat"),
    path("<slug:queue>/uploads/<number:upload>/errors.csv", uploads.upload_faults, name="upload-faults"),
    path("<slug:queue>/rules/", rules.rule_list, name="rule-list"),
    path("<slug:queue>/rules/new/", rules.rule_create, name="rule-create"),
    path("<slug:queue>/rules/<number:rule>/", rules.rule_change, name="rule-change"),
    path("<slug:queue>/rules/<number:rule>/switch/", rules.rule_switch, name="rule-switch"),
    path("<slug:queue>/rules/<number:rule>/delete/", rules.rule_delete, name="rule-delete"),
]
review_routes: Routes = [
    path("queues/<slug:queue>/review/", queue_pages.review_next, name="review-next"),
    path("queues/<slug:queue>/upcoming/", queue_pages.queue_upcoming, name="queue-upcoming"),
    path("queues/<slug:queue>/rubric/preview/", rubric_preview.rubric_preview, name="rubric-preview"),
    path("queues/<slug:queue>/push-example/", push_example.push_example, name="push-example"),
    path("queues/<slug:queue>/at/", queue_pages.queue_item_at, name="queue-item-at"),
    path("queues/<slug:queue>/end/", queue_pages.queue_end, name="queue-end"),
    path("queues/<slug:queue>/mine/", queue_pages.my_reviews, name="my-reviews"),
    path("items/<number:item>/", workbench.item_review, name="item-review"),
    path("items/<number:item>/draft/", item_actions.item_draft, name="item-draft"),
    path("items/<number:item>/view/", item_actions.item_view, name="item-view"),
    path("items/<number:item>/diff/", item_actions.item_diff, name="item-diff"),
    path("items/<number:item>/skip/", item_actions.item_skip, name="item-skip"),
    path("items/<number:item>/undo/", item_actions.item_undo, name="item-undo"),
    path("items/<number:item>/claim/", item_actions.item_claim, name="item-claim"),
    path("items/<number:item>/wait/", item_actions.item_wait, name="item-wait"),
    path("items/<number:item>/take-over/", item_actions.item_take_over, name="item-take-over"),
    path("items/<number:item>/left/", item_pages.item_left, name="item-left"),
    path("items/<number:item>/reopen/", item_actions.item_reopen, name="item-reopen"),
    path("items/<number:item>/delivery/", item_pages.item_delivery, name="item-delivery"),
    path("items/<number:item>/reading/", item_pages.item_reading, name="item-reading"),
    path("inbox/", discussion.inbox_page, name="inbox"),
    path("items/<number:item>/comments/", discussion.item_comments, name="item-comments"),
    path("reviews/change/", auditing.reviews_change, name="reviews-change"),
    path("reviews/<number:review>/revisions/", auditing.review_revisions, name="review-revisions"),
    path("traces/<uuid:trace_id>/reviews/", trace_reviews.trace_reviews, name="trace-reviews"),
    path("traces/<uuid:trace_id>/session/", session_turns.session_turns, name="session-turns"),
]
trace_routes: Routes = [
    path("", traces.trace_list, name="trace-list"),
    path("laminar/", traces.laminar_answer, name="laminar-answer"),
    path("filter/", traces.trace_filter, name="trace-filter"),
    path("export.csv", require_password(traces.trace_export), {"shape": "csv"}, name="trace-csv"),
    path("export.jsonl", require_password(traces.trace_export), {"shape": "jsonl"}, name="trace-jsonl"),
    path("offers/", traces.suggestion_list, name="suggestion-list"),
    path("views/", traces.view_list, name="view-list"),
    path("views/save/", trace_acts.view_save, name="view-save"),
    path("views/<number:view>/", trace_acts.view_open, name="view-open"),
    path("views/<number:view>/change/", trace_acts.view_change, name="view-change"),
    path("views/<number:view>/delete/", trace_acts.view_delete, name="view-delete"),
    path("keys/", trace_keys.key_list, name="key-list"),
    path("unreadable/", unreadable_traces.unreadable_list, name="unreadable-list"),
    path("<uuid:trace_id>/", traces.trace_page, name="trace-page"),
    path("<uuid:trace_id>/images/<uuid:span_id>/<slug:name>", traces.span_image, name="span-image"),
]
bulk_routes: Routes = [
    path("to-queue/", bulk_add.traces_queue, name="traces-queue"),
    path("push/", bulk.traces_push, name="traces-push"),
    path("pushed/<number:bulk>/", bulk.bulk_page, name="bulk-page"),
    path("pushed/<number:bulk>/undo/", bulk.bulk_undo, name="bulk-undo"),
]
delivery_routes: Routes = [
    path("", delivery.patch_list, name="patch-list"),
    path("retry/", delivery_acts.patch_retry, name="patch-retry"),
    path("try/", delivery_acts.hold_probe, name="hold-probe"),
    path("held/", delivery.paused_page, name="paused-page"),
    path("held/release/", delivery_acts.paused_release, name="paused-release"),
    path("<number:patch>/", delivery.patch_page, name="patch-page"),
    path("<number:patch>/look/", delivery_acts.patch_read_back, name="patch-read-back"),
    path("<number:patch>/push-again/", delivery_acts.patch_push_again, name="patch-push-again"),
    path("<number:patch>/leave-theirs/", delivery_acts.patch_leave_theirs, name="patch-leave-theirs"),
    path("<number:patch>/leave-out/", delivery_acts.patch_leave_out, name="patch-leave-out"),
    path("traces/<uuid:trace_id>/metadata/", delivery.trace_settings, name="trace-settings"),
]
key_routes: Routes = [
    path("", keys.key_page, name="key-page"),
    path("laminar/", keys.laminar_key_replace, name="laminar-key-replace"),
    path("laminar/test/", keys.laminar_key_test, name="laminar-key-test"),
    path("laminar/<uuid:key>/erase/", keys.laminar_key_erase, name="laminar-key-erase"),
    path("base-url/", keys.base_url_change, name="base-url-change"),
    path("personal-data/", keys.personal_data_change, name="personal-data-change"),
    path("push-limit/", keys.push_limit_change, name="push-limit-change"),
    path("tokens/", keys.token_create, name="token-create"),
    path("tokens/<number:token>/rotate/", keys.token_rotate, name="token-rotate"),
    path("tokens/<number:token>/revoke/", keys.token_revoke, name="token-revoke"),
]
webhook_routes: Routes = [
    path("", webhooks.webhook_list, name="webhook-list"),
    path("new/", webhooks.webhook_create, name="webhook-create"),
    path("<uuid:webhook>/", webhooks.webhook_page, name="webhook-page"),
    path("<uuid:webhook>/change/", webhooks.webhook_change, name="webhook-change"),
    path("<uuid:webhook>/test/", webhooks.webhook_test, name="webhook-test"),
    path("<uuid:webhook>/rotate/", webhooks.webhook_rotate, name="webhook-rotate"),
    path("<uuid:webhook>/switch/", webhooks.webhook_switch, name="webhook-switch"),
    path("<uuid:webhook>/delete/", webhooks.webhook_delete, name="webhook-delete"),
    path("<uuid:webhook>/retry/", webhooks.messages_retry, name="messages-retry"),
    path("<uuid:webhook>/messages/<number:message>/", webhooks.message_page, name="message-page"),
    path("<uuid:webhook>/messages/<number:message>/retry/", webhooks.message_retry, name="message-retry"),
]
people_routes: Routes = [
    path("", people.people_page, name="people-page"),
    path("invite/", people.invite_create, name="invite-create"),
    path("links/<number:link>/revoke/", people.link_revoke, name="link-revoke"),
    path("<number:person>/role/", people.role_change, name="role-change"),
    path("<number:person>/deactivate/", people.person_deactivate, name="person-deactivate"),
    path("<number:person>/reactivate/", people.person_reactivate, name="person-reactivate"),
    path("<number:person>/remove/", people.person_remove, name="person-remove"),
    path("<number:person>/sign-out/", people.person_sign_out, name="person-sign-out"),
    path("<number:person>/password-link/", people.password_link_create, name="password-link-create"),
]
audit_routes: Routes = [
    path("", audit.event_list, name="event-list"),
    path("export.csv", audit.event_export, name="event-export"),
    path("head.jsonl", audit.head_export, name="head-export"),
]
insight_routes: Routes = [
    path("", insights.project_home, name="project-home"),
    path("status/", status.status_page, name="status-page"),
    path("traces/states/", insights.trace_states, name="trace-states"),
    path("reviews/", insights.review_list, name="review-audit"),
    path("reviews/views/save/", review_views.view_save, name="view-save"),
    path("reviews/views/<number:view>/delete/", review_views.view_delete, name="view-delete"),
    path("reviews.csv", require_password(insights.review_rows), name="review-rows"),
    path("figures/<slug:figure>/", boards.figure_rows, name="figure-rows"),
    path("queues/<slug:queue>/figures/", boards.queue_figures, name="queue-figures"),
    path("queues/<slug:queue>/reviews/", insights.review_list, name="review-list"),
    path("queues/<slug:queue>/export/", exports.export_page, name="export-page"),
    path("queues/<slug:queue>/export/file/", require_password(exports.review_export), name="export-file"),
    path("queues/<slug:queue>/reviews.csv", require_password(exports.review_export), name="review-export"),
]
quality_routes: Routes = [
    path("failure-rate/", failure_rate.failure_rate_page, name="failure-rate"),
    path("agreement/", agreement.queue_agreement, name="queue-agreement"),
    path("disagreements/", settling.disagreement_list, name="disagreement-list"),
    path("disagreements/<number:item>/", settling.item_settle, name="item-settle"),
    path("disagreements/rulings/<number:settlement>/", settling.ruling_add, name="ruling-add"),
    path("agreement/items/", agreement.compared_items, name="compared-items"),
]

setup_routes: Routes = [
    path("setup/connect/", onboarding.connect, name="connect"),
    path("setup/link/<str:setup_secret>/", onboarding.setup_link, name="link"),
    path("p/<slug:project>/setup/", onboarding.first_queue, name="first-queue"),
    path("p/<slug:project>/setup/traces/", onboarding.traces_pull, name="traces-pull"),
    path("p/<slug:project>/tour/", onboarding.tour, name="tour"),
    path("p/<slug:project>/tour/dismiss/", onboarding.tour_dismiss, name="tour-dismiss"),
]

urlpatterns: Routes = [
    path("health", web.health, name="health"),
    path("ready", web.ready, name="ready"),
    path("healthz", web.health, name="healthz"),
    path("readyz", web.ready, name="readyz"),
    path("metrics", insights.metrics, name="metrics"),
    path("accounts/", include((accounts_routes, "accounts"))),
    path("api/v1/docs", api_docs.docs_page, name="api-docs"),
    path("api/v1/", api_routes()),
    path("", include(([path("", insights.home, name="home")], "home"))),
    path("", include((setup_routes, "setup"))),
    path("find/", include(([path("", finder.trace_find, name="trace-find")], "find"))),
    path("p/<slug:project>/queues/<slug:queue>/", include((quality_routes, "quality"))),
    path("p/<slug:project>/queues/", include((queue_routes, "queues"))),
    path("p/<slug:project>/traces/", include((trace_routes, "traces"))),
    path("p/<slug:project>/traces/", include((bulk_routes, "bulk"))),
    path("p/<slug:project>/deliveries/", include((delivery_routes, "delivery"))),
    path("p/<slug:project>/webhooks/", include((require_password_for(webhook_routes), "webhooks"))),
    path("p/<slug:project>/keys/", include((require_password_for(key_routes), "keys"))),
    path("p/<slug:project>/people/", include((require_password_for(people_routes), "people"))),
    path("p/<slug:project>/audit/", include((audit_routes, "audit"))),
    path("p/<slug:project>/", include((review_routes, "reviews"))),
    path("p/<slug:project>/", include((insight_routes, "insights"))),
]

handler400 = "reviewapp.web.views.bad_request"
handler403 = "reviewapp.web.views.forbidden"
handler404 = "reviewapp.web.views.not_found"
handler500 = "reviewapp.web.views.server_fault"
