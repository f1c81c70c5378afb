"""What Airflow registers.

Its plugin loader opens this file only (plugins/.airflowignore), under the bare name ``plugin``: so it defines
nothing but the plugin, and nothing imports it.
"""

from airflow.plugins_manager import AirflowPlugin


class DtmSharingPlugin(AirflowPlugin):
    """Audit pages, listeners and deadline references register here as they come."""

    name = "dtm_sharing"
