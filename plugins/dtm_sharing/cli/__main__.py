"""``python -m dtm_sharing.cli``, for where the program itself is not installed."""

import sys

from dtm_sharing.cli.edge import main

sys.exit(main())
