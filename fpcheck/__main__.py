"""`python -m fpcheck`: the command line."""

import sys

from fpcheck.cli import main

sys.exit(main())
