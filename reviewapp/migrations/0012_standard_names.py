"""Standard names for models and fields. Tables and columns keep theirs, so the database is not touched."""

from django.db import models
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import reviewapp.lib.clock

STATE = [
    migrations.RemoveConstraint("bulk", "one_bulk_per_preview"),
    migrations.AlterModelTable("change", "reviewapp_change"),
    migrations.RenameModel("Change", "MetadataChange"),
    migrations.AlterModelTable("key", "reviewapp_key"),
    migrations.RenameModel("Key", "MetadataKey"),
    migrations.AlterModelTable("prepared", "reviewapp_prepared"),
    migrations.RenameModel("Prepared", "PreparedTranscript"),
    migrations.AlterModelTable("pullmark", "reviewapp_pullmark"),
    migrations.RenameModel("PullMark", "Watermark"),
    migrations.AlterModelTable("view", "reviewapp_view"),
    migrations.RenameModel("View", "SavedView"),
    migrations.AlterModelTable("relay", "reviewapp_relay"),
    migrations.RenameModel("Relay", "IdempotentPatch"),
    migrations.AlterModelTable("tide", "reviewapp_tide"),
    migrations.RenameModel("Tide", "RestoreMarker"),
    migrations.AlterModelTable("pass", "reviewapp_pass"),
    migrations.RenameModel("Pass", "Skip"),
    migrations.RenameField("preparedtranscript", "place", "url_placeholder"),
    migrations.AlterField("preparedtranscript", "url_placeholder", models.CharField(db_column="place", max_length=32)),
    migrations.RenameField("trace", "reviews", "review_count"),
    migrations.AlterField("trace", "review_count", models.PositiveIntegerField(db_column="reviews", default=0)),
    migrations.RenameField("metadatachange", "patch", "patch_id"),
    migrations.AlterField("metadatachange", "patch_id", models.BigIntegerField(db_column="patch", null=True)),
    migrations.RenameField("watermark", "reached", "listed_until"),
    migrations.AlterField("watermark", "listed_until", models.DateTimeField(db_column="reached")),
    migrations.RenameField("watermark", "holds_since", "complete_since"),
    migrations.AlterField("watermark", "complete_since", models.DateTimeField(db_column="holds_since", null=True)),
    migrations.RenameField("watermark", "lacks_since", "gap_start"),
    migrations.AlterField("watermark", "gap_start", models.DateTimeField(db_column="lacks_since", null=True)),
    migrations.RenameField("watermark", "lacks_until", "gap_end"),
    migrations.AlterField("watermark", "gap_end", models.DateTimeField(db_column="lacks_until", null=True)),
    migrations.RenameField("breaker", "held_until", "open_until"),
    migrations.AlterField("breaker", "open_until", models.DateTimeField(db_column="held_until", null=True)),
    migrations.RenameField("breaker", "restored_at", "paused_at"),
    migrations.AlterField("breaker", "paused_at", models.DateTimeField(db_column="restored_at", null=True)),
    migrations.RenameField("bulk", "mark", "preview_id"),
    migrations.AlterField("bulk", "preview_id", models.UUIDField(db_column="mark")),
    migrations.RenameField("idempotentpatch", "before", "previous_values"),
    migrations.AlterField(
        "idempotentpatch", "previous_values", models.TextField(db_column="before", db_default="{}", default="{}")
    ),
    migrations.RenameField("restoremarker", "mark", "counter"),
    migrations.AlterField("restoremarker", "counter", models.PositiveBigIntegerField(db_column="mark", default=0)),
    migrations.RenameField("rule", "looked_at", "scanned_until"),
    migrations.AlterField(
        "rule", "scanned_until", models.DateTimeField(db_column="looked_at", default=reviewapp.lib.clock.now)
    ),
    migrations.RenameField("rule", "looked_pk", "scanned_pk"),
    migrations.AlterField("rule", "scanned_pk", models.BigIntegerField(db_column="looked_pk", default=0)),
    migrations.RenameField("rule", "takes_since", "active_since"),
    migrations.AlterField(
        "rule",
        "active_since",
        models.DateTimeField(
            db_column="takes_since",
            db_default=django.db.models.functions.datetime.Now(),
            default=reviewapp.lib.clock.now,
        ),
    ),
    migrations.RenameField("rule", "taken", "added_count"),
    migrations.AlterField("rule", "added_count", models.PositiveIntegerField(db_column="taken", default=0)),
    migrations.RenameField("rule", "taken_that_day", "added_that_day"),
    migrations.AlterField("rule", "added_that_day", models.PositiveIntegerField(db_column="taken_that_day", default=0)),
    migrations.RenameField("rule", "taken_at", "last_added_at"),
    migrations.AlterField("rule", "last_added_at", models.DateTimeField(db_column="taken_at", null=True)),
    migrations.RenameField("laminarkey", "sealed", "encrypted_secret"),
    migrations.AlterField("laminarkey", "encrypted_secret", models.TextField(db_column="sealed")),
    migrations.AlterField(
        "idempotentpatch",
        "bulk",
        models.ForeignKey(
            db_index=False,
            null=True,
            on_delete=django.db.models.deletion.CASCADE,
            related_name="idempotent_patches",
            to="reviewapp.bulk",
        ),
    ),
    migrations.AlterField(
        "skip",
        "item",
        models.ForeignKey(
            db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="skips", to="reviewapp.queueitem"
        ),
    ),
    migrations.AlterField(
        "watermark",
        "project",
        models.OneToOneField(
            on_delete=django.db.models.deletion.CASCADE, related_name="watermark", to="reviewapp.project"
        ),
    ),
    migrations.AlterField(
        "savedview",
        "project",
        models.ForeignKey(
            db_index=False,
            on_delete=django.db.models.deletion.CASCADE,
            related_name="saved_views",
            to="reviewapp.project",
        ),
    ),
    migrations.AddConstraint(
        "bulk", models.UniqueConstraint(fields=("project", "preview_id"), name="one_bulk_per_preview")
    ),
]


class Migration(migrations.Migration):
    dependencies = [("reviewapp", "0011_index_prepared_transcripts_by_version")]

    operations = [migrations.SeparateDatabaseAndState(state_operations=STATE)]
