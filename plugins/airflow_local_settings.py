"""Airflow reads its cluster policies from a module of this name on ``sys.path``, which plugins/ is."""

from dtm_sharing.orchestration.policies import task_policy

__all__ = ["task_policy"]
