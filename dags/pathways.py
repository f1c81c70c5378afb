"""Airflow DAGs: one for each pathway of each agreement in the policy files, and the monthly one."""

from dtm_sharing.orchestration.pathways import monthly_dag, pathway_dags

globals().update({dag.dag_id: dag for dag in pathway_dags()})
share_monthly = monthly_dag()
