"""All routes of the trace store. Like Laminar, accept an optional trailing slash."""

from django.urls import re_path

from reviewapp.tracestore import dataset_views, views

urlpatterns = [
    re_path(r"^v1/traces/?$", views.export_traces),
    re_path(r"^v1/traces/metadata/?$", views.push_metadata),
    re_path(r"^v1/spans/?$", views.create_spans),
    re_path(r"^v1/tag/?$", views.tag),
    re_path(r"^v1/project/?$", views.project),
    re_path(r"^v1/sql/query/?$", views.query),
    re_path(r"^v1/(?:logs|metrics)/?$", views.discard),
    re_path(r"^v1/embedded/signals/?$", views.save_verdict),
    re_path(r"^v1/datasets/?$", dataset_views.list_datasets),
    re_path(r"^v1/datasets/datapoints/?$", dataset_views.datapoints),
    re_path(
        r"^v1/(?:evals|evaluators|datasets|datapoints|rollouts|mcp|cli|agent|browser-sessions|labeling_queues)(?:/|$)",
        views.not_included,
    ),
    re_path(r"^(?:health|ready)/?$", views.probe),
]

handler404 = views.not_found
handler500 = views.server_error
