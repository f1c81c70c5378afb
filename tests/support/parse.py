"""A process that loads a folder of DAG files as Airflow's DAG processor would, and tells what came of it."""

import json
import sys

from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag

plugins = sorted(plugin.name for plugin in plugins_manager._get_plugins()[0])
bag = DagBag(sys.argv[1])
heavy = ("pandas", "great_expectations", "boto3", "pyarrow", "xlsxwriter")
print(
    json.dumps(
        {
            "dags": sorted(bag.dags),
            "errors": {path: text.strip().splitlines()[-1] for path, text in bag.import_errors.items()},
            "heavy": [name for name in heavy if name in sys.modules],
            "plugins": plugins,
            "plugin_errors": {str(k): str(v) for k, v in plugins_manager._get_plugins()[1].items()},
            "twice": sorted(n for n in sys.modules if f"dtm_sharing.{n}" in sys.modules),
        }
    )
)
