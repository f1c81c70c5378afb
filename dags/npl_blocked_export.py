"""Airflow DAG: what a mistake looks like. It publishes the cleaned round as it is, and the gate refuses.

It is here to be seen: the run fails without retries, nothing is put anywhere, and the ledger says so.
"""

from airflow.sdk import DAG

from dtm_sharing.orchestration import arrived, on_round, publish

DATASET = "npl/site-assessment"

with DAG("npl_blocked_export", schedule=on_round(DATASET, stage="cleaned"), tags=["npl"]):
    publish(arrived(DATASET, stage="cleaned"))
