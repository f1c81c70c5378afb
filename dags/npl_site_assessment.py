"""Airflow DAG: a round of Nepal's site assessment, from its file to what is cleaned and published.

Trigger it with the parameters ``round`` and ``file``. The pathways of the agreements start by themselves:
medium urgency when ``collect`` is done, low urgency when ``clean`` is.
"""

from airflow.sdk import DAG, Param, PartitionedAtRuntime

from dtm_sharing.orchestration import classified, publish, read_round

DATASET = "npl/site-assessment"

with DAG(
    "npl_site_assessment",
    schedule=PartitionedAtRuntime(),
    params={"round": Param("2", type="string"), "file": Param("/data/round.csv", type="string")},
    tags=["npl"],
):

    @classified(DATASET, stage="collected")
    def collect(params):
        return read_round(params["file"], DATASET)

    @classified(DATASET, stage="cleaned")
    def clean(collected):
        tidy = collected.apply(lambda column: column.str.strip())
        return tidy.drop_duplicates("1.1.c.1 Site ID (SSID)", ignore_index=True)

    publish(clean(collect()), form="releasable")
