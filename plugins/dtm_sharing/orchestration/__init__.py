"""What a DAG author uses: ``@classified`` on a cleaning task, ``arrived`` in a DAG that follows, ``publish``.

Importing this imports Airflow and nothing heavy: parsing a DAG file must stay cheap.
"""

from dtm_sharing.orchestration.publishing import publish
from dtm_sharing.orchestration.rounds import arrived, classified, on_round, read_round

__all__ = ["arrived", "classified", "on_round", "publish", "read_round"]
